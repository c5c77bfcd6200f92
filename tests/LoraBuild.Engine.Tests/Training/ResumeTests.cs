// A run that was stopped anywhere and started again ends with the same bytes as one that was not.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class ResumeTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(6)]
    [InlineData(8)]
    public void Cancelled_after_a_step_and_resumed_ends_with_the_same_bytes(int cancelledStep)
    {
        using TemporaryDirectory whole = new();
        using TemporaryDirectory cut = new();
        RecordingObserver uninterrupted = new();
        TrainingResult expected = TinyRun.Run(whole.Path, TinyRun.Options, uninterrupted);
        Assert.Equal((TrainingOutcome.Completed, 8), (expected.Outcome, expected.TotalSteps));

        using CancellationTokenSource source = new();
        TrainingResult first = TinyRun.Run(cut.Path, TinyRun.Options, CancelAt(cancelledStep, source), cancellation: source.Token);
        // A step that needs an evaluation stops before it; the last one has nothing left to cancel but its evaluation.
        Assert.Equal((TrainingOutcome.Cancelled, cancelledStep), (first.Outcome, first.Step));
        Assert.False(Directory.Exists(Path.Combine(cut.Path, "adapter")));

        RecordingObserver resumed = new();
        TrainingResult second = TinyRun.Run(cut.Path, TinyRun.Options, resumed);
        Assert.Equal(TrainingOutcome.Completed, second.Outcome);
        Assert.Equal(cancelledStep, resumed.Start!.FirstStep);
        Assert.Equal("LB0610", Assert.Single(resumed.Messages).Code);
        SameResult(whole.Path, cut.Path);
    }

    [Fact]
    public void Stopped_again_and_again_ends_with_the_same_bytes()
    {
        using TemporaryDirectory whole = new();
        using TemporaryDirectory cut = new();
        TinyRun.Run(whole.Path, TinyRun.Options, new RecordingObserver());
        TrainingResult result;
        int runs = 0;
        do
        {
            using CancellationTokenSource source = new();
            result = TinyRun.Run(cut.Path, TinyRun.Options, new RecordingObserver { OnStep = _ => source.Cancel() }, cancellation: source.Token);
            runs++;
        }
        while (result.Outcome == TrainingOutcome.Cancelled && runs < 30);
        Assert.Equal(TrainingOutcome.Completed, result.Outcome);
        Assert.Equal(9, runs); // one step each, then the last evaluation and the result
        SameResult(whole.Path, cut.Path);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(7)]
    public void Killed_without_warning_ends_with_the_same_bytes(int killedStep)
    {
        using TemporaryDirectory whole = new();
        using TemporaryDirectory cut = new();
        TinyRun.Run(whole.Path, TinyRun.Options, new RecordingObserver());
        // An exception in the observer leaves the directory as a kill at this moment does: metrics line written, nothing saved.
        Assert.Throws<KilledException>(() => TinyRun.Run(cut.Path, TinyRun.Options, new RecordingObserver { OnStep = s => KillAt(s.Step, killedStep) }));
        TinyRun.Run(cut.Path, TinyRun.Options, new RecordingObserver());
        SameResult(whole.Path, cut.Path);
    }

    [Fact]
    public void Killed_after_an_evaluation_before_its_checkpoint_ends_with_the_same_bytes()
    {
        using TemporaryDirectory whole = new();
        using TemporaryDirectory cut = new();
        TinyRun.Run(whole.Path, TinyRun.Options, new RecordingObserver());
        Assert.Throws<KilledException>(() => TinyRun.Run(cut.Path, TinyRun.Options, new RecordingObserver { OnEvaluation = e => KillAt(e.Step, 6) }));
        TinyRun.Run(cut.Path, TinyRun.Options, new RecordingObserver());
        SameResult(whole.Path, cut.Path);
    }

    [Fact]
    public void Full_fine_tuning_resumes_to_the_same_bytes()
    {
        using TemporaryDirectory whole = new();
        using TemporaryDirectory cut = new();
        TrainOptions options = TinyRun.Options with { LearningRate = 1e-4 };
        TinyRun.RunFull(whole.Path, options, new RecordingObserver());
        using CancellationTokenSource source = new();
        TinyRun.RunFull(cut.Path, options, CancelAt(5, source), source.Token);
        TinyRun.RunFull(cut.Path, options, new RecordingObserver());
        SameResult(whole.Path, cut.Path, "model");
    }

    [Fact]
    public void A_finished_run_started_again_has_no_step_to_do_and_gives_the_same_bytes()
    {
        using TemporaryDirectory whole = new();
        TinyRun.Run(whole.Path, TinyRun.Options, new RecordingObserver());
        Dictionary<string, byte[]> before = TinyRun.Files(Path.Combine(whole.Path, "adapter"));
        Directory.Delete(Path.Combine(whole.Path, "adapter"), recursive: true);
        RecordingObserver again = new();
        TinyRun.Run(whole.Path, TinyRun.Options, again);
        Assert.Empty(again.Steps);
        Assert.Equal(before, TinyRun.Files(Path.Combine(whole.Path, "adapter")));
    }

    [Fact]
    public void Checkpoints_of_another_run_are_not_used_and_go()
    {
        using TemporaryDirectory whole = new();
        using TemporaryDirectory changed = new();
        TrainOptions other = TinyRun.Options with { LearningRate = 1e-3 };
        TinyRun.Run(whole.Path, other, new RecordingObserver());
        TinyRun.Run(changed.Path, TinyRun.Options with { MaxSteps = 9 }, new RecordingObserver());
        RecordingObserver observer = new();
        TinyRun.Run(changed.Path, other, observer);
        Diagnostic message = Assert.Single(observer.Messages);
        Assert.Equal(("LB0611", DiagnosticSeverity.Info), (message.Code, message.Severity));
        Assert.Equal(8, observer.Steps.Count);
        Assert.False(Directory.Exists(Path.Combine(changed.Path, "checkpoints", "step-9")));
        SameResult(whole.Path, changed.Path);
    }

    [Fact]
    public void No_resume_starts_over()
    {
        using TemporaryDirectory directory = new();
        TinyRun.Run(directory.Path, TinyRun.Options, new RecordingObserver());
        RecordingObserver again = new();
        TinyRun.Run(directory.Path, TinyRun.Options with { Resume = false }, again);
        Assert.Equal(8, again.Steps.Count);
    }

    private static RecordingObserver CancelAt(int step, CancellationTokenSource source) => new()
    {
        OnStep = s =>
        {
            if (s.Step == step)
                source.Cancel();
        },
    };

    private static void KillAt(int step, int killedStep)
    {
        if (step == killedStep)
            throw new KilledException();
    }

    private static void SameResult(string expected, string actual, string result = "adapter")
    {
        Assert.Equal(TinyRun.Files(Path.Combine(expected, result)), TinyRun.Files(Path.Combine(actual, result)));
        Assert.Equal(Metrics(expected), Metrics(actual));
    }

    // All but what depends on the clock and the machine.
    private static string[] Metrics(string directory) => [.. File.ReadLines(Path.Combine(directory, "metrics.jsonl")).Select(line =>
    {
        JsonObject metrics = JsonNode.Parse(line)!.AsObject();
        metrics.Remove("tokens_per_second");
        metrics.Remove("peak_memory_bytes");
        return metrics.ToJsonString();
    })];

    private sealed class KilledException : Exception;
}
