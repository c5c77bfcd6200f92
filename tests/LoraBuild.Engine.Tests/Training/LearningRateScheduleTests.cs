// Rates by the formulas of transformers' schedulers.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class LearningRateScheduleTests
{
    [Fact]
    public void Warmup_starts_at_0_and_rises_linearly_whatever_follows()
    {
        foreach (LearningRateScheduleKind kind in new[] { LearningRateScheduleKind.Linear, LearningRateScheduleKind.Cosine, LearningRateScheduleKind.ConstantWithWarmup })
        {
            LearningRateSchedule schedule = new(kind, 2e-3, 4, 20);
            Assert.Equal([0, 5e-4, 1e-3, 1.5e-3, 2e-3], Enumerable.Range(0, 5).Select(schedule.RateOf), (a, b) => Math.Abs(a - b) < 1e-15);
        }
    }

    [Fact]
    public void Linear_falls_to_one_step_above_0()
    {
        LearningRateSchedule schedule = new(LearningRateScheduleKind.Linear, 1, 0, 4);
        Assert.Equal([1, 0.75, 0.5, 0.25], Enumerable.Range(0, 4).Select(schedule.RateOf));
    }

    [Fact]
    public void Cosine_is_half_way_in_the_middle()
    {
        LearningRateSchedule schedule = new(LearningRateScheduleKind.Cosine, 1, 2, 10);
        Assert.Equal(1, schedule.RateOf(2), 12);
        Assert.Equal(0.5, schedule.RateOf(6), 12);
        Assert.Equal(0.5 * (1 + Math.Cos(Math.PI * 7 / 8)), schedule.RateOf(9), 12);
    }

    [Fact]
    public void Constant_has_no_warmup()
    {
        LearningRateSchedule schedule = new(LearningRateScheduleKind.Constant, 3, 5, 10);
        Assert.All(Enumerable.Range(0, 10), step => Assert.Equal(3, schedule.RateOf(step)));
    }

    [Fact]
    public void Warmup_ratio_is_rounded_up_and_warmup_steps_go_before_it()
    {
        Assert.Equal(2, LearningRateSchedule.Create(new TrainOptions { WarmupRatio = 0.05 }, 21).WarmupSteps);
        Assert.Equal(0, LearningRateSchedule.Create(new TrainOptions { WarmupRatio = 0.05, WarmupSteps = 0 }, 21).WarmupSteps);
    }
}
