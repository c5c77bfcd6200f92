// The losses of preference training, of one pair, with their derivatives: numbers in, numbers out.
namespace LoraBuild.Engine.Training.Preference;

/// <summary>What a pair's loss is computed from. Log probabilities are sums over the answer's tokens, in nats.</summary>
/// <param name="Chosen">log π(chosen | prompt).</param>
/// <param name="Rejected">log π(rejected | prompt).</param>
/// <param name="ReferenceChosen">The same under the reference; 0 where none is used.</param>
/// <param name="ChosenTokens">Target tokens of the chosen answer, ≥ 1.</param>
public readonly record struct PairLogProbabilities(double Chosen, double Rejected, double ReferenceChosen, double ReferenceRejected, int ChosenTokens, int RejectedTokens);

/// <param name="ByChosen">∂loss/∂Chosen.</param>
/// <param name="ByRejected">∂loss/∂Rejected.</param>
/// <param name="RewardMargin">How much more the chosen answer is preferred than the rejected one, in the loss's own measure; above 0: right.</param>
public readonly record struct PairLoss(double Value, double ByChosen, double ByRejected, double RewardMargin);

/// <summary>σ is the logistic function. Means over tokens are written |·|.</summary>
public static class PreferenceLoss
{
    /// <param name="chosenDivergence">KTO: max(0, mean of Chosen − ReferenceChosen over the micro-batch), a constant.</param>
    /// <param name="rejectedDivergence">KTO: the same of the rejected answers.</param>
    public static PairLoss Of(PreferenceOptions options, PairLogProbabilities p, double chosenDivergence = 0, double rejectedDivergence = 0) => options.Loss switch
    {
        PreferenceLossKind.Dpo => Dpo(options, p),
        PreferenceLossKind.Ipo => Ipo(options, p),
        PreferenceLossKind.SimPo => SimPo(options, p),
        PreferenceLossKind.Orpo => Orpo(options, p),
        PreferenceLossKind.Kto => Kto(options, p, chosenDivergence, rejectedDivergence),
        _ => throw new InvalidOperationException($"no formula for {options.Loss}"),
    };

    /// <summary>h = β[(c − ρc) − (r − ρr)]; −(1 − ε)·log σ(h) − ε·log σ(−h). Length-normalised: every log probability over its answer's tokens.</summary>
    private static PairLoss Dpo(PreferenceOptions o, PairLogProbabilities p)
    {
        double byChosen = o.Beta / (o.IsLengthNormalized ? p.ChosenTokens : 1);
        double byRejected = o.Beta / (o.IsLengthNormalized ? p.RejectedTokens : 1);
        double reference = o.IsReferenceFree ? 0 : 1;
        double margin = (byChosen * (p.Chosen - (reference * p.ReferenceChosen))) - (byRejected * (p.Rejected - (reference * p.ReferenceRejected)));
        return Logistic(margin, o.LabelSmoothing, byChosen, byRejected, margin);
    }

    /// <summary>h = |c − ρc| − |r − ρr|; (h − 1/(2β))².</summary>
    private static PairLoss Ipo(PreferenceOptions o, PairLogProbabilities p)
    {
        double h = ((p.Chosen - p.ReferenceChosen) / p.ChosenTokens) - ((p.Rejected - p.ReferenceRejected) / p.RejectedTokens);
        double distance = h - (1 / (2 * o.Beta));
        return new PairLoss(distance * distance, 2 * distance / p.ChosenTokens, -2 * distance / p.RejectedTokens, o.Beta * h);
    }

    /// <summary>h = β(|c| − |r|) − γ; −(1 − ε)·log σ(h) − ε·log σ(−h).</summary>
    private static PairLoss SimPo(PreferenceOptions o, PairLogProbabilities p)
    {
        (double byChosen, double byRejected) = (o.Beta / p.ChosenTokens, o.Beta / p.RejectedTokens);
        double margin = (byChosen * p.Chosen) - (byRejected * p.Rejected);
        return Logistic(margin - o.Gamma, o.LabelSmoothing, byChosen, byRejected, margin);
    }

    /// <summary>odds(y) = e^|y| / (1 − e^|y|); −|c| − λ·log σ(log odds(c) − log odds(r)).</summary>
    private static PairLoss Orpo(PreferenceOptions o, PairLogProbabilities p)
    {
        (double c, double r) = (p.Chosen / p.ChosenTokens, p.Rejected / p.RejectedTokens);
        double h = LogOdds(c) - LogOdds(r);
        double slope = -o.Beta * Sigmoid(-h); // of −λ·log σ(h)
        double value = -c - (o.Beta * LogSigmoid(h));
        return new PairLoss(value, (-1 + (slope * LogOddsSlope(c))) / p.ChosenTokens, -slope * LogOddsSlope(r) / p.RejectedTokens, o.Beta * (c - r));
    }

    /// <summary>½[λ_D(1 − σ(β(c − ρc − KL_r))) + λ_U(1 − σ(β(KL_c − (r − ρr))))]: each answer is judged against how far the model has moved on the other kind.</summary>
    private static PairLoss Kto(PreferenceOptions o, PairLogProbabilities p, double chosenDivergence, double rejectedDivergence)
    {
        double good = Sigmoid(o.Beta * (p.Chosen - p.ReferenceChosen - rejectedDivergence));
        double bad = Sigmoid(o.Beta * (chosenDivergence - (p.Rejected - p.ReferenceRejected)));
        double value = ((o.DesirableWeight * (1 - good)) + (o.UndesirableWeight * (1 - bad))) / 2;
        return new PairLoss(
            value,
            -o.DesirableWeight * o.Beta * good * (1 - good) / 2,
            o.UndesirableWeight * o.Beta * bad * (1 - bad) / 2,
            o.Beta * (p.Chosen - p.ReferenceChosen - (p.Rejected - p.ReferenceRejected)));
    }

    /// <summary>−(1 − ε)·log σ(h) − ε·log σ(−h).</summary>
    private static PairLoss Logistic(double h, double smoothing, double byChosen, double byRejected, double margin)
    {
        double slope = (smoothing * Sigmoid(h)) - ((1 - smoothing) * Sigmoid(-h));
        double value = (-(1 - smoothing) * LogSigmoid(h)) - (smoothing * LogSigmoid(-h));
        return new PairLoss(value, slope * byChosen, -slope * byRejected, margin);
    }

    private static double Sigmoid(double x) => x >= 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x));

    private static double LogSigmoid(double x) => x >= 0 ? -Log1P(Math.Exp(-x)) : x - Log1P(Math.Exp(x));

    // log(1 + x) for 0 ≤ x ≤ 1 without losing small x (Kahan).
    private static double Log1P(double x)
    {
        double u = 1 + x;
        return u == 1 ? x : Math.Log(u) * x / (u - 1);
    }

    /// <summary>log(e^x / (1 − e^x)), x below 0: a mean log probability. At 0 (certainty) it would be infinite.</summary>
    private static double LogOdds(double x)
    {
        double bounded = Math.Min(x, -1e-12);
        return bounded - Math.Log(-Expm1(bounded));
    }

    /// <summary>1 / (1 − e^x).</summary>
    private static double LogOddsSlope(double x) => -1 / Expm1(Math.Min(x, -1e-12));

    // e^x − 1 without losing small x: 2·sinh(x/2)·e^(x/2).
    private static double Expm1(double x) => Math.Abs(x) < 1e-2 ? 2 * Math.Sinh(x / 2) * Math.Exp(x / 2) : Math.Exp(x) - 1;
}
