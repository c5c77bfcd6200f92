// Which documents a step sees, and how many steps a run has.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class BatchPlanTests
{
    private static readonly TrainOptions InOrder = new() { BatchSize = 2, AccumulationSteps = 2, Shuffle = false, NumTrainEpochs = 1 };

    [Fact]
    public void Without_shuffling_micro_batch_k_holds_the_documents_from_k_times_B_on()
    {
        BatchPlan plan = BatchPlan.Create(Lengths(7), InOrder);
        Assert.Equal(4, plan.MicroBatchesPerEpoch);
        Assert.Equal(2, plan.TotalSteps);
        Assert.Equal([[0, 1], [2, 3]], plan.MicroBatchesOf(0));
        Assert.Equal([[4, 5], [6]], plan.MicroBatchesOf(1));
    }

    [Fact]
    public void The_rows_of_an_epoch_are_those_that_its_steps_train()
    {
        foreach (bool isPacked in new[] { false, true })
        {
            BatchPlan plan = BatchPlan.Create([5, 9, 3, 8, 2, 7, 4], InOrder with { Packing = isPacked, MaxLength = 10, Shuffle = true });
            IReadOnlyList<int[]>[] batches = [.. plan.RowsOfEpoch(0)];
            Assert.Equal(
                Enumerable.Range(0, plan.StepsPerEpoch).SelectMany(plan.MicroBatchesOf).Select(b => string.Join(',', b)),
                batches.Select(b => string.Join(',', b.SelectMany(row => row))));
            Assert.All(batches.SelectMany(b => b), row => Assert.True(isPacked || row.Length == 1));
        }
    }

    [Fact]
    public void The_last_incomplete_accumulation_of_an_epoch_is_a_step()
    {
        BatchPlan plan = BatchPlan.Create(Lengths(10), InOrder with { NumTrainEpochs = 2 }); // 5 micro-batches, 3 steps a pass
        Assert.Equal(6, plan.TotalSteps);
        Assert.Equal([[8, 9]], plan.MicroBatchesOf(2));
        Assert.Equal([[0, 1], [2, 3]], plan.MicroBatchesOf(3));
        Assert.Equal(new DataPosition(1, 2), plan.PositionOf(4));
    }

    // transformers: ⌈epochs · steps of an epoch⌉
    [Theory]
    [InlineData(1.0, 3)]
    [InlineData(1.47, 5)]
    [InlineData(0.5, 2)]
    [InlineData(2.0, 6)]
    public void A_fraction_of_an_epoch_is_rounded_up_to_steps(double epochs, int steps) =>
        Assert.Equal(steps, BatchPlan.Create(Lengths(10), InOrder with { NumTrainEpochs = epochs }).TotalSteps);

    [Fact]
    public void Max_steps_goes_before_epochs() =>
        Assert.Equal(4, BatchPlan.Create(Lengths(10), InOrder with { NumTrainEpochs = 9, MaxSteps = 4 }).TotalSteps);

    [Fact]
    public void The_epoch_counts_micro_batches()
    {
        BatchPlan plan = BatchPlan.Create(Lengths(10), InOrder with { NumTrainEpochs = 2 });
        Assert.Equal([0, 0.4, 0.8, 1, 1.4, 1.8, 2], Enumerable.Range(0, 7).Select(plan.EpochAfter).Select(e => Math.Round(e, 12)));
    }

    [Fact]
    public void Shuffling_takes_every_document_once_an_epoch_and_differently_in_each()
    {
        BatchPlan plan = BatchPlan.Create(Lengths(40), InOrder with { Shuffle = true, NumTrainEpochs = 2 });
        int[] first = Epoch(plan, 0);
        int[] second = Epoch(plan, 1);
        Assert.Equal(Enumerable.Range(0, 40), first.Order());
        Assert.Equal(Enumerable.Range(0, 40), second.Order());
        Assert.NotEqual(first, second);
        Assert.NotEqual(Enumerable.Range(0, 40), first);
    }

    [Fact]
    public void A_step_has_the_same_documents_whoever_asks_first()
    {
        TrainOptions options = InOrder with { Shuffle = true, NumTrainEpochs = 3, Seed = 5 };
        BatchPlan forward = BatchPlan.Create(Lengths(23), options);
        List<IReadOnlyList<int[]>> all = [.. Enumerable.Range(0, forward.TotalSteps).Select(forward.MicroBatchesOf)];
        foreach (int step in new[] { 11, 3, 0, 17, 8 })
            Assert.Equal(all[step], BatchPlan.Create(Lengths(23), options).MicroBatchesOf(step));
        Assert.NotEqual(all[0], BatchPlan.Create(Lengths(23), options with { Seed = 6 }).MicroBatchesOf(0));
    }

    [Fact]
    public void Packed_epochs_hold_every_document_once_and_have_the_same_number_of_steps()
    {
        TrainOptions options = InOrder with { Packing = true, MaxLength = 20, Shuffle = true, NumTrainEpochs = 2 };
        BatchPlan plan = BatchPlan.Create([.. Enumerable.Range(0, 31).Select(i => 1 + (i * 7 % 13))], options);
        Assert.Equal(plan.TotalSteps, 2 * plan.StepsPerEpoch);
        Assert.Equal(Enumerable.Range(0, 31), Epoch(plan, 0).Order());
        Assert.Equal(Enumerable.Range(0, 31), Epoch(plan, 1).Order());
        Assert.NotEqual(Epoch(plan, 0), Epoch(plan, 1));
    }

    private static int[] Lengths(int count) => [.. Enumerable.Repeat(10, count)];

    private static int[] Epoch(BatchPlan plan, int epoch) =>
        [.. Enumerable.Range(epoch * plan.StepsPerEpoch, plan.StepsPerEpoch).SelectMany(plan.MicroBatchesOf).SelectMany(d => d)];
}
