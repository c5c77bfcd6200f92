// Rates by the formulas of transformers' schedulers.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Training;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Engine.Tests.Training;

public sealed class LearningRateScheduleTests
{
    [Fact]
    public void Warmup_starts_at_0_and_rises_linearly_whatever_follows()
    {
        foreach (LearningRateScheduleKind kind in new[] { LearningRateScheduleKind.Linear, LearningRateScheduleKind.Cosine, LearningRateScheduleKind.ConstantWithWarmup })
        {
            LearningRateSchedule schedule = new(kind, 2e-3, 4, 20, new());
            Assert.Equal([0, 5e-4, 1e-3, 1.5e-3, 2e-3], Enumerable.Range(0, 5).Select(schedule.RateOf), (a, b) => Math.Abs(a - b) < 1e-15);
        }
    }

    [Fact]
    public void Linear_falls_to_one_step_above_0()
    {
        LearningRateSchedule schedule = new(LearningRateScheduleKind.Linear, 1, 0, 4, new());
        Assert.Equal([1, 0.75, 0.5, 0.25], Enumerable.Range(0, 4).Select(schedule.RateOf));
    }

    [Fact]
    public void Cosine_is_half_way_in_the_middle()
    {
        LearningRateSchedule schedule = new(LearningRateScheduleKind.Cosine, 1, 2, 10, new());
        Assert.Equal(1, schedule.RateOf(2), 12);
        Assert.Equal(0.5, schedule.RateOf(6), 12);
        Assert.Equal(0.5 * (1 + Math.Cos(Math.PI * 7 / 8)), schedule.RateOf(9), 12);
    }

    [Fact]
    public void Constant_has_no_warmup()
    {
        LearningRateSchedule schedule = new(LearningRateScheduleKind.Constant, 3, 5, 10, new());
        Assert.All(Enumerable.Range(0, 10), step => Assert.Equal(3, schedule.RateOf(step)));
    }

    /// <summary>golden/training/schedules.json: transformers 5.12, get_scheduler, every step.</summary>
    [Fact]
    public void Every_schedule_gives_the_rates_of_transformers_at_every_step()
    {
        JsonArray cases = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Root, "training", "schedules.json")))!.AsArray();
        Assert.Equal(54, cases.Count);
        foreach (JsonNode? one in cases)
        {
            TrainSection train = new()
            {
                LrSchedulerType = (string)one!["type"]!,
                LrSchedulerKwargs = one["kwargs"]!.AsObject().ToDictionary(a => a.Key, a => (string)a.Value!),
                LearningRate = (double)one["learning_rate"]!,
                WarmupSteps = (int)one["warmup"]!,
            };
            LearningRateSchedule schedule = LearningRateSchedule.Create(TrainOptionsBuilder.From(new Recipe { Train = train }, ""), (int)one["steps"]!);
            double[] rates = [.. one["rates"]!.AsArray().Select(r => (double)r!)];
            for (int k = 0; k < rates.Length; k++)
                Assert.True(Math.Abs(rates[k] - schedule.RateOf(k)) <= 1e-12 * train.LearningRate, $"{one.ToJsonString()[..120]}: step {k} is {schedule.RateOf(k)}, not {rates[k]}");
        }
    }

    [Fact]
    public void A_longer_run_begins_like_a_shorter_one_only_where_the_number_of_steps_does_not_count()
    {
        static bool Begins(LearningRateScheduleKind kind) => new LearningRateSchedule(kind, 1, 2, 10, new()).BeginsLike(new LearningRateSchedule(kind, 1, 2, 14, new()), 10);
        Assert.True(Begins(LearningRateScheduleKind.ConstantWithWarmup));
        Assert.True(Begins(LearningRateScheduleKind.InverseSqrt));
        Assert.False(Begins(LearningRateScheduleKind.Cosine));
    }

    [Fact]
    public void Warmup_ratio_is_rounded_up_and_warmup_steps_go_before_it()
    {
        Assert.Equal(2, LearningRateSchedule.Create(new TrainOptions { WarmupRatio = 0.05 }, 21).WarmupSteps);
        Assert.Equal(0, LearningRateSchedule.Create(new TrainOptions { WarmupRatio = 0.05, WarmupSteps = 0 }, 21).WarmupSteps);
    }
}
