// The drift bound: tight in fp32, as wide as rounding makes it in bf16, and never met by a wrong merge or NaN.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Merging;

public sealed class MergeDriftTests
{
    private const int Vocabulary = 50, Tokens = 40;

    [Fact]
    public void Equal_logits_have_no_drift()
    {
        MergeDriftReport report = Compare(0, TensorDtype.F32);
        Assert.Equal(0, report.MaxLogitDifference);
        Assert.Equal(0, report.PerplexityDrift, 12);
        Assert.Equal((Tokens, Tokens - 1), (report.Tokens, report.TargetTokens));
        Assert.InRange(report.LogitLimit, 1e-3, 1.01e-3);
        Assert.True(report.IsWithinLimits);
    }

    [Fact]
    public void Rounding_of_the_stored_type_is_allowed_and_more_is_not()
    {
        Assert.False(Compare(0.02f, TensorDtype.F32).IsWithinLimits);
        Assert.True(Compare(0.02f, TensorDtype.BF16).IsWithinLimits);
        Assert.False(Compare(0.7f, TensorDtype.BF16).IsWithinLimits);
        Assert.False(Compare(0.1f, TensorDtype.F16).IsWithinLimits);
    }

    [Fact]
    public void NaN_is_never_within_limits()
    {
        MergeDriftMeter meter = new(2, MergeDriftMeter.UnitRoundoff(TensorDtype.BF16), 1e-3);
        meter.Add([1, 2, 3, 4], [1, 2, float.NaN, 4], [1, LabelShift.Ignored]);
        Assert.False(meter.Report().IsWithinLimits);
    }

    [Fact]
    public void Perplexity_counts_the_tokens_that_predict_something()
    {
        MergeDriftMeter meter = new(1, 0, 0);
        // Three tokens, two words: token 0 predicts word 1 with p = 1/(1+e^-2), the others nothing.
        float[] logits = [0, 2, 5, 5, 1, 1];
        meter.Add(logits, logits, [1, LabelShift.Ignored, LabelShift.Ignored]);
        MergeDriftReport report = meter.Report();
        Assert.Equal(1, report.TargetTokens);
        Assert.Equal(1 + Math.Exp(-2), report.AdapterPerplexity, 9);
    }

    private static MergeDriftReport Compare(float noise, TensorDtype dtype)
    {
        Random random = new(5);
        float[] before = [.. Enumerable.Range(0, Vocabulary * Tokens).Select(_ => (float)((random.NextDouble() - 0.5) * 8))];
        float[] after = [.. before.Select(v => v + (float)((random.NextDouble() - 0.5) * 2 * noise))];
        MergeDriftMeter meter = new(4, MergeDriftMeter.UnitRoundoff(dtype), 1e-3);
        int[] targets = [.. Enumerable.Range(0, Tokens - 1).Select(_ => random.Next(Vocabulary)), LabelShift.Ignored];
        const int chunk = 7; // the parts in which logits come do not count
        for (int t = 0; t < Tokens; t += chunk)
            meter.Add(Rows(before, t), Rows(after, t), targets.AsSpan(t, Math.Min(chunk, Tokens - t)));

        return meter.Report();

        static ReadOnlySpan<float> Rows(float[] logits, int first) => logits.AsSpan(first * Vocabulary, Math.Min(chunk, Tokens - first) * Vocabulary);
    }
}
