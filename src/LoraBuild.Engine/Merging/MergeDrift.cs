// Compares the logits of base+adapter with those of the merged model, and says how far rounding alone may move them.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Merging;

/// <param name="MaxLogitDifference">Largest |difference| over all tokens and the whole vocabulary.</param>
/// <param name="LogitLimit">What is allowed for it.</param>
/// <param name="AdapterPerplexity">e^loss of base+adapter over the target tokens; 1 where there are none.</param>
/// <param name="PerplexityLimit">Largest allowed |merged / adapter − 1|.</param>
public sealed record MergeDriftReport(double MaxLogitDifference, double LogitLimit, double AdapterPerplexity, double MergedPerplexity, double PerplexityLimit, long Tokens, long TargetTokens)
{
    /// <summary>merged / adapter − 1</summary>
    public double PerplexityDrift => (MergedPerplexity / AdapterPerplexity) - 1;

    /// <summary>False also where a value is NaN.</summary>
    public bool IsWithinLimits => MaxLogitDifference <= LogitLimit && Math.Abs(PerplexityDrift) <= PerplexityLimit;
}

/// <summary>
/// Merging rounds W + s·B·A once to the stored type, so a merged model in bf16 or fp16 cannot give the adapter's logits exactly. With unit roundoff u
/// (the largest relative error of one rounding) every weight is off by at most u, independently: a product W·x is off by about u/√3 of its size, and
/// the 7 products of each of L layers, the embedding and the head add up as √(7·L + 2). So a logit is off by about σ = u·√((7·L + 2)/3)·(root mean
/// square of the centred logits). Allowed are: 16σ for the largest of all logit differences (of the reference models, whose random weights pass errors
/// on more than trained ones do, 6σ were seen); for the perplexity 8σ/√N, the mean of N errors, and the second-order σ²; on each, <c>max_drift</c> is
/// added. In fp32 σ vanishes and max_drift itself is the bound.
/// </summary>
/// <param name="layers">Decoder layers, L.</param>
/// <param name="unitRoundoff">Of the coarser of the stored type and the type of the arithmetic.</param>
/// <param name="maxDrift">The recipe's <c>merge.max_drift</c>.</param>
public sealed class MergeDriftMeter(int layers, double unitRoundoff, double maxDrift)
{
    private double largestDifference;
    private double centredSquares;
    private long logitCount;
    private double adapterLoss;
    private double mergedLoss;
    private long tokens;
    private long targetTokens;

    public static double UnitRoundoff(TensorDtype dtype) => dtype switch
    {
        TensorDtype.BF16 => Math.ScaleB(1, -8), // 8 bits of significand
        TensorDtype.F16 => Math.ScaleB(1, -11),
        _ => Math.ScaleB(1, -24),
    };

    /// <summary>Adds some tokens, however many at once.</summary>
    /// <param name="adapter">Logits of base+adapter, [tokens, vocabulary].</param>
    /// <param name="merged">Logits of the merged model, [tokens, vocabulary].</param>
    /// <param name="targets">[tokens]: what each has to predict; −100: nothing.</param>
    public void Add(ReadOnlySpan<float> adapter, ReadOnlySpan<float> merged, ReadOnlySpan<int> targets)
    {
        int vocabulary = adapter.Length / targets.Length;
        if (adapter.Length != merged.Length || adapter.Length != vocabulary * targets.Length)
            throw new ArgumentException($"{adapter.Length} and {merged.Length} logits for {targets.Length} tokens");
        for (int t = 0; t < targets.Length; t++)
        {
            ReadOnlySpan<float> before = adapter.Slice(t * vocabulary, vocabulary);
            ReadOnlySpan<float> after = merged.Slice(t * vocabulary, vocabulary);
            Compare(before, after);
            if (targets[t] != LabelShift.Ignored)
            {
                adapterLoss += NegativeLogLikelihood(before, targets[t]);
                mergedLoss += NegativeLogLikelihood(after, targets[t]);
                targetTokens++;
            }
        }

        tokens += targets.Length;
    }

    public MergeDriftReport Report()
    {
        double scale = logitCount == 0 ? 0 : Math.Sqrt(centredSquares / logitCount);
        double sigma = unitRoundoff * Math.Sqrt(((7.0 * layers) + 2) / 3) * scale;
        double count = Math.Max(1, targetTokens);
        return new MergeDriftReport(
            largestDifference,
            maxDrift + (16 * sigma),
            Math.Exp(adapterLoss / count),
            Math.Exp(mergedLoss / count),
            maxDrift + (8 * sigma / Math.Sqrt(count)) + (sigma * sigma),
            tokens,
            targetTokens);
    }

    private void Compare(ReadOnlySpan<float> before, ReadOnlySpan<float> after)
    {
        double sum = 0, squares = 0;
        for (int i = 0; i < before.Length; i++)
        {
            largestDifference = Math.Max(largestDifference, Math.Abs((double)before[i] - after[i])); // keeps a NaN
            sum += before[i];
            squares += (double)before[i] * before[i];
        }

        centredSquares += squares - (sum * sum / before.Length);
        logitCount += before.Length;
    }

    private static double NegativeLogLikelihood(ReadOnlySpan<float> logits, int label)
    {
        float max = float.NegativeInfinity;
        foreach (float logit in logits)
            max = Math.Max(max, logit);
        double sum = 0;
        foreach (float logit in logits)
            sum += Math.Exp(logit - max);
        return max + Math.Log(sum) - logits[label];
    }
}
