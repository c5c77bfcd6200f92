// The generator is fixed for ever: a recipe trained today and in ten years shuffles the same way.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class DeterministicRandomTests
{
    [Fact]
    public void The_first_numbers_are_those_of_xoshiro256_starstar_seeded_by_SplitMix64()
    {
        DeterministicRandom random = new(0);
        // Computed from the published algorithms with seed 0.
        Assert.Equal([0x99EC5F36CB75F2B4UL, 0xBF6E1F784956452AUL, 0x1A5F849D4933E6E0UL], new[] { random.NextUInt64(), random.NextUInt64(), random.NextUInt64() });
    }

    [Fact]
    public void A_shuffle_is_a_permutation_and_stays_what_it_is()
    {
        int[] values = [.. Enumerable.Range(0, 10)];
        new DeterministicRandom(42).Shuffle<int>(values);
        Assert.Equal(Enumerable.Range(0, 10), values.Order());
        int[] again = [.. Enumerable.Range(0, 10)];
        new DeterministicRandom(42).Shuffle<int>(again);
        Assert.Equal(values, again);
    }

    [Fact]
    public void Numbers_below_a_bound_are_spread_evenly()
    {
        DeterministicRandom random = new(7);
        int[] counts = new int[6];
        for (int i = 0; i < 60_000; i++)
            counts[random.Next(6)]++;
        Assert.All(counts, c => Assert.InRange(c, 9_600, 10_400)); // 4 standard deviations
    }

    [Fact]
    public void Neighbouring_parts_give_different_seeds()
    {
        HashSet<long> seeds = [];
        for (int step = 0; step < 100; step++)
        {
            for (int microBatch = 0; microBatch < 8; microBatch++)
                Assert.True(seeds.Add(DeterministicRandom.Combine(42, step, microBatch)));
        }

        Assert.All(seeds, s => Assert.True(s >= 0));
    }
}
