// When an evaluation or a checkpoint is due.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class StepIntervalTests
{
    [Theory]
    [InlineData(5, 12, new[] { 5, 10, 12 })]
    [InlineData(0.2, 12, new[] { 3, 6, 9, 12 })] // ⌈2.4⌉
    [InlineData(0.5, 10, new[] { 5, 10 })]
    [InlineData(0, 12, new[] { 12 })]
    [InlineData(100, 3, new[] { 3 })]
    public void Steps_or_a_fraction_and_always_the_last(double value, int total, int[] due)
    {
        StepInterval interval = StepInterval.Create(value, total);
        Assert.Equal(due, Enumerable.Range(0, total + 1).Where(interval.IsDue));
    }
}
