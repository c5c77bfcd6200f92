// The preference losses by hand in double precision, and their derivatives by differences.
using LoraBuild.Engine.Training.Preference;

namespace LoraBuild.Engine.Tests.Training.Preference;

public sealed class PreferenceLossTests
{
    private static readonly PairLogProbabilities Pair = new(-12.5, -9.25, -13, -8.5, 5, 4);

    private static readonly PreferenceOptions[] AllOptions =
    [
        new(), new() { Beta = 0.7 }, new() { LabelSmoothing = 0.2 }, new() { IsLengthNormalized = true, Beta = 2 }, new() { IsReferenceFree = true },
        new() { Loss = PreferenceLossKind.Ipo }, new() { Loss = PreferenceLossKind.SimPo, Beta = 2, Gamma = 1 }, new() { Loss = PreferenceLossKind.SimPo, LabelSmoothing = 0.1 },
        new() { Loss = PreferenceLossKind.Orpo, Beta = 0.25 }, new() { Loss = PreferenceLossKind.Kto, Beta = 0.3, DesirableWeight = 1.5, UndesirableWeight = 0.5 },
    ];

    [Fact]
    public void Each_loss_has_the_value_of_its_formula()
    {
        static double S(double x) => 1 / (1 + Math.Exp(-x));
        void Is(double expected, PreferenceOptions options) => Assert.Equal(expected, PreferenceLoss.Of(options, Pair, 0.4, 0.3).Value, 12);

        // c − ρc = 0.5, r − ρr = −0.75; means −2.5 and −2.3125, moved 0.1 and −0.1875
        Is(-Math.Log(S(0.1 * 1.25)), new());
        Is((-0.8 * Math.Log(S(0.1 * 1.25))) - (0.2 * Math.Log(S(-0.1 * 1.25))), new() { LabelSmoothing = 0.2 });
        Is(-Math.Log(S(2 * 0.2875)), new() { IsLengthNormalized = true, Beta = 2 });
        Is(-Math.Log(S(0.1 * -3.25)), new() { IsReferenceFree = true });
        Is(Math.Pow(0.2875 - 5, 2), new() { Loss = PreferenceLossKind.Ipo });
        Is(-Math.Log(S((2 * -0.1875) - 1)), new() { Loss = PreferenceLossKind.SimPo, Beta = 2, Gamma = 1 });
        double Odds(double mean) => Math.Log(Math.Exp(mean) / (1 - Math.Exp(mean)));
        Is(2.5 - (0.25 * Math.Log(S(Odds(-2.5) - Odds(-2.3125)))), new() { Loss = PreferenceLossKind.Orpo, Beta = 0.25 });
        Is(((1.5 * (1 - S(0.3 * (0.5 - 0.3)))) + (0.5 * (1 - S(0.3 * (0.4 + 0.75))))) / 2, new() { Loss = PreferenceLossKind.Kto, Beta = 0.3, DesirableWeight = 1.5, UndesirableWeight = 0.5 });
    }

    [Fact]
    public void Each_derivative_is_that_of_its_loss()
    {
        const double h = 1e-5;
        foreach (PreferenceOptions options in AllOptions)
        {
            double Of(double c, double r) => PreferenceLoss.Of(options, Pair with { Chosen = Pair.Chosen + c, Rejected = Pair.Rejected + r }, 0.4, 0.3).Value;
            PairLoss loss = PreferenceLoss.Of(options, Pair, 0.4, 0.3);
            Assert.Equal((Of(h, 0) - Of(-h, 0)) / (2 * h), loss.ByChosen, 1e-8);
            Assert.Equal((Of(0, h) - Of(0, -h)) / (2 * h), loss.ByRejected, 1e-8);
            Assert.True(loss.ByChosen < 0 == loss.ByRejected > 0, $"{options}: what raises one answer lowers the other");
        }
    }

    [Fact]
    public void Extreme_probabilities_give_numbers()
    {
        foreach (PreferenceOptions options in AllOptions)
        {
            foreach ((double c, double r) in new[] { (-1e4, -1e-9), (-1e-9, -1e4), (0.0, 0.0) })
            {
                PairLoss loss = PreferenceLoss.Of(options, new PairLogProbabilities(c, r, -50, -50, 5, 5));
                Assert.True(double.IsFinite(loss.Value) && double.IsFinite(loss.ByChosen) && double.IsFinite(loss.ByRejected), $"{options} at {c}, {r}: {loss}");
            }
        }
    }

    [Fact]
    public void A_model_that_has_not_moved_has_the_loss_ln_2() =>
        Assert.Equal(Math.Log(2), PreferenceLoss.Of(new(), new PairLogProbabilities(-7, -3, -7, -3, 2, 2)).Value, 15);
}
