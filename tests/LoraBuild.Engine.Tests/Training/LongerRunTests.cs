// Asking for more: a longer run goes on where the shorter one ended, when its rates are the same so far.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class LongerRunTests
{
    private static readonly TrainOptions Constant = TinyRun.Options with { Schedule = LearningRateScheduleKind.ConstantWithWarmup, NumTrainEpochs = 3, EvalSteps = 2 };

    [Fact]
    public void A_fourth_epoch_trains_one_epoch_and_ends_like_four_at_once()
    {
        using TemporaryDirectory three = new();
        using TemporaryDirectory four = new();
        TinyRun.Run(three.Path, Constant, new RecordingObserver());
        RecordingObserver longer = new();
        TinyRun.Run(three.Path, Constant with { NumTrainEpochs = 4 }, longer);
        Assert.Equal([13, 14, 15, 16], longer.Steps.Select(s => s.Step));
        Assert.Contains("The run before had 12 steps", Assert.Single(longer.Messages).Message, StringComparison.Ordinal);

        TinyRun.Run(four.Path, Constant with { NumTrainEpochs = 4 }, new RecordingObserver());
        Assert.Equal(TinyRun.Files(Path.Combine(four.Path, "adapter")), TinyRun.Files(Path.Combine(three.Path, "adapter")));
    }

    [Fact]
    public void A_schedule_that_depends_on_the_number_of_steps_starts_over_and_says_so()
    {
        using TemporaryDirectory output = new();
        TinyRun.Run(output.Path, TinyRun.Options, new RecordingObserver());
        RecordingObserver longer = new();
        TinyRun.Run(output.Path, TinyRun.Options with { NumTrainEpochs = 3 }, longer);
        Assert.Equal(12, longer.Steps.Count);
        Diagnostic note = Assert.Single(longer.Messages);
        Assert.Equal("LB0614", note.Code);
        Assert.Contains("lr_scheduler_type cosine depend", note.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_ends_before_every_checkpoint_starts_over_and_says_why()
    {
        using TemporaryDirectory output = new();
        TinyRun.Run(output.Path, Constant with { SaveTotalLimit = 1, LoadBestModelAtEnd = false }, new RecordingObserver());
        RecordingObserver shorter = new();
        TinyRun.Run(output.Path, Constant with { NumTrainEpochs = 1, SaveTotalLimit = 1, LoadBestModelAtEnd = false }, shorter);
        Diagnostic note = Assert.Single(shorter.Messages);
        Assert.Equal("LB0614", note.Code);
        Assert.Contains("the oldest one stands after step 12", note.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("rates", note.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shorter_run_may_end_with_the_best_state_of_the_checkpoint_that_it_goes_on_from()
    {
        TrainOptions options = Constant with { EvalSteps = 1, SaveSteps = 1, SaveTotalLimit = 4, Schedule = LearningRateScheduleKind.Constant };
        using TemporaryDirectory output = new();
        using TemporaryDirectory once = new();
        TrainingResult longer = TinyRun.Run(output.Path, options, new RecordingObserver());
        CheckpointStore store = new(Path.Combine(output.Path, "checkpoints"));
        Assert.All(store.All(), s => Assert.Contains(store.All(), best => best.Step == s.BestStep));
        RecordingObserver shorter = new();
        TinyRun.Run(output.Path, options with { MaxSteps = longer.Step - 3 }, shorter);
        Assert.Empty(shorter.Steps);
        TinyRun.Run(once.Path, options with { MaxSteps = longer.Step - 3 }, new RecordingObserver());
        Assert.Equal(TinyRun.Files(Path.Combine(once.Path, "adapter")), TinyRun.Files(Path.Combine(output.Path, "adapter")));
    }

    [Fact]
    public void Checkpoints_of_epochs_stay_beside_the_newest_ones()
    {
        using TemporaryDirectory output = new();
        TinyRun.Run(output.Path, Constant with { KeepEpochCheckpoints = true, SaveSteps = 3, SaveTotalLimit = 1, LoadBestModelAtEnd = false, EvalSteps = 100 }, new RecordingObserver());
        Assert.Equal(["step-12", "step-4", "step-8"], Directory.EnumerateDirectories(Path.Combine(output.Path, "checkpoints")).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Early_stopping_counts_only_what_is_better_by_the_threshold_and_the_best_is_still_the_best()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TrainingResult result = TinyRun.Run(output.Path, Constant with { EarlyStoppingPatience = 2, EarlyStoppingThreshold = 10 }, observer);
        Assert.Equal((TrainingOutcome.StoppedEarly, 6), (result.Outcome, result.Step)); // evaluated after 2 (the first one counts), 4 and 6
        Assert.Equal(observer.Evaluations.MinBy(e => e.Loss)!.Step, result.BestStep);
    }

    [Fact]
    public void A_metric_that_is_to_rise_takes_the_largest()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TrainingResult result = TinyRun.Run(output.Path, Constant with { MetricForBestModel = BestMetric.EvalPerplexity, GreaterIsBetter = true }, observer);
        Assert.Equal(observer.Evaluations.MaxBy(e => e.Perplexity)!.Step, result.BestStep);
        Assert.Equal("LB0617", Assert.Throws<DiagnosticException>(() => TinyRun.Run(output.Path, Constant with { MetricForBestModel = BestMetric.EvalMargins }, observer)).Diagnostics[0].Code);
    }
}
