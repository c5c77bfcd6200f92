// Documents of like length beside each other, and micro-batches of a number of tokens.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class LengthGroupingTests
{
    private static readonly int[] Lengths = [.. Enumerable.Range(0, 103).Select(i => 5 + (i * 37 % 101))];

    [Fact]
    public void Groups_are_sorted_by_falling_length_and_the_longest_comes_first()
    {
        int[] order = [.. Enumerable.Range(0, 103)];
        new DeterministicRandom(3).Shuffle<int>(order);
        int[] shuffled = [.. order];
        LengthGrouping.Group(order, Lengths, 4); // groups of 6 · 4 documents
        Assert.Equal(Enumerable.Range(0, 103), order.Order());
        Assert.Equal(Lengths.Max(), Lengths[order[0]]);
        int[] second = [.. order.Skip(24).Take(24)];
        Assert.True(second.Skip(1).Select(d => Lengths[d]).SequenceEqual(second.Skip(1).Select(d => Lengths[d]).OrderDescending()), "all but the one that made room for the longest");
        Assert.True(shuffled.Skip(24).Take(24).Intersect(second).Count() >= 23, "a document stays in its group");
    }

    [Fact]
    public void Grouped_batches_are_even_and_every_document_comes_once_a_pass()
    {
        double Spread(bool isGrouped)
        {
            BatchPlan plan = BatchPlan.Create(Lengths, new TrainOptions { BatchSize = 4, NumTrainEpochs = 2, GroupByLength = isGrouped });
            int[][] batches = [.. Enumerable.Range(0, plan.StepsPerEpoch).SelectMany(plan.MicroBatchesOf)];
            Assert.Equal(Enumerable.Range(0, 103), batches.SelectMany(b => b).Order());
            return batches.Average(b => b.Max(d => Lengths[d]) - b.Min(d => Lengths[d]));
        }

        Assert.True(Spread(true) < Spread(false) / 3, $"{Spread(true)} {Spread(false)}");
        BatchPlan again = BatchPlan.Create(Lengths, new TrainOptions { BatchSize = 4, NumTrainEpochs = 2, GroupByLength = true });
        Assert.NotEqual(again.MicroBatchesOf(0)[0], again.MicroBatchesOf(again.StepsPerEpoch)[0]);
    }

    [Fact]
    public void A_micro_batch_of_tokens_holds_the_documents_that_fit_in_order()
    {
        LoraBuild.Core.Recipes.Recipe recipe = new() { Train = new() { PerDeviceTrainBatchTokens = 10, Shuffle = false, GradientAccumulationSteps = 2 }, Template = new() { Packing = false } };
        BatchPlan plan = BatchPlan.Create([4, 6, 3, 3, 3, 3, 12, 1], TrainOptionsBuilder.From(recipe, ""));
        Assert.Equal([[0, 1], [2, 3, 4]], plan.MicroBatchesOf(0));
        Assert.Equal([[5], [6]], plan.MicroBatchesOf(1)); // 12 tokens have a batch for themselves
        Assert.Equal([[7]], plan.MicroBatchesOf(2));
    }
}
