// What is dropped follows from seed and place, and is as random as it should be.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Tests.Models;

public sealed class DropoutDrawTests
{
    private const int Count = 200_000;

    [Fact]
    public void The_numbers_are_those_of_SplitMix64()
    {
        // From the state 1234567, as its authors' program counts.
        Assert.Equal([6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL], [.. Enumerable.Range(0, 3).Select(i => SplitMix64.Number(1234567, (ulong)i))]);
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(0.9)]
    [InlineData(0.95)]
    public void As_many_are_kept_as_asked_for_and_seeds_and_neighbours_have_nothing_in_common(double keep)
    {
        bool[] one = Kept(keep, 11), other = Kept(keep, 12);
        Near(keep, one, (_, kept) => kept);
        double alike = (keep * keep) + ((1 - keep) * (1 - keep));
        Near(alike, one, (i, kept) => kept == other[i]);
        foreach (int distance in new[] { 1, 2, 3, 64, 576 })
            Near(alike, one[distance..], (i, kept) => kept == one[i]);
    }

    [Fact]
    public void What_is_kept_is_scaled_so_that_the_mean_stays()
    {
        float[] mask = new float[Count];
        new DropoutDraw(0.8, [new SeededElements(5, 0, Count)]).Fill(mask);
        Assert.All(mask, m => Assert.True(m is 0 or 1.25f));
        Assert.InRange(mask.Average(), 0.995, 1.005);
    }

    private static bool[] Kept(double keep, long seed)
    {
        float[] mask = new float[Count];
        new DropoutDraw(keep, [new SeededElements(seed, 0, Count)]).Fill(mask);
        return [.. mask.Select(m => m > 0)];
    }

    /// <summary>Within five standard deviations.</summary>
    private static void Near(double share, bool[] elements, Func<int, bool, bool> isCounted)
    {
        double counted = elements.Where((kept, i) => isCounted(i, kept)).Count() / (double)elements.Length;
        double deviation = Math.Sqrt(share * (1 - share) / elements.Length);
        Assert.InRange(counted, share - (5 * deviation), share + (5 * deviation));
    }
}
