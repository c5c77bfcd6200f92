// Steps that go wrong, provoked for real: an enormous rate, a document that spikes.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class GuardTests
{
    // The rate of step 1 sends the weights to where step 2 has no finite loss.
    private static readonly TrainOptions Enormous = TinyRun.Options with
    {
        LearningRate = 1e30, WarmupSteps = 0, MaxGradNorm = 0, Schedule = LearningRateScheduleKind.Constant, Shuffle = false, EvalSteps = 100, SaveSteps = 100,
    };

    [Fact]
    public void A_rollback_without_a_checkpoint_goes_back_to_the_start_and_ends_like_a_run_with_the_lower_rate()
    {
        using TemporaryDirectory output = new();
        using TemporaryDirectory plain = new();
        TrainOptions options = Enormous with { Guard = new GuardOptions { RateFactor = 1e-33 } };
        RecordingObserver observer = new();
        TrainingResult result = TinyRun.Run(output.Path, options, observer, hasEvaluation: false);
        Assert.Equal(TrainingOutcome.Completed, result.Outcome);
        Diagnostic warning = Assert.Single(observer.Messages);
        Assert.Equal(("LB0615", DiagnosticSeverity.Warning), (warning.Code, warning.Severity));
        Assert.Contains("step 2", warning.Message, StringComparison.Ordinal);
        Assert.Contains("4, 5, 6, 7", warning.Message, StringComparison.Ordinal);
        Assert.Contains("Back to step 0", warning.Message, StringComparison.Ordinal);
        Assert.Equal([1, 1, 2, 3, 4, 5, 6, 7, 8], observer.Steps.Select(s => s.Step));
        Assert.Equal((0, 0), Assert.Single(observer.Returns));
        Assert.Equal(Enumerable.Range(1, 8), File.ReadLines(Path.Combine(output.Path, "metrics.jsonl")).Select(l => (int)JsonNode.Parse(l)!["step"]!));

        TinyRun.Run(plain.Path, Enormous with { LearningRate = 1e30 * 1e-33 }, new RecordingObserver(), hasEvaluation: false);
        Assert.Equal(TinyRun.Files(Path.Combine(plain.Path, "adapter")), TinyRun.Files(Path.Combine(output.Path, "adapter")));
    }

    [Fact]
    public void A_rollback_goes_to_the_newest_checkpoint()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        // Half a rate is enough to stay below the limit of the norm, which the first step with the full one passes.
        TrainOptions options = TinyRun.Options with { SaveSteps = 2, EvalSteps = 100 };
        TinyRun.Run(output.Path, options, observer, dropout: 0);
        double[] norms = [.. observer.Steps.Select(s => s.GradNorm)];
        double limit = norms.Skip(2).Max() * (1 - 1e-7);
        int bad = Array.IndexOf(norms, norms.Skip(2).Max()) + 1;

        using TemporaryDirectory guarded = new();
        RecordingObserver second = new();
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => TinyRun.Run(
            guarded.Path, options with { Guard = new GuardOptions { GradNorm = Math.Min(limit, norms.Take(2).Min() * 0.999), MostInterventions = 0 } }, second, dropout: 0));
        Assert.Contains("train.guard.grad_norm", error.Message, StringComparison.Ordinal);
        Assert.True(bad > 2);
        if (norms.Take(2).Max() < limit)
        {
            using TemporaryDirectory third = new();
            RecordingObserver observed = new();
            Assert.Throws<DiagnosticException>(() => TinyRun.Run(third.Path, options with { Guard = new GuardOptions { GradNorm = limit, RateFactor = 1, MostInterventions = 2 } }, observed, dropout: 0));
            Assert.All(observed.Messages, m => Assert.Contains($"Back to step {(bad - 1) / 2 * 2}", m.Message, StringComparison.Ordinal));
            Assert.Equal(2, observed.Messages.Count);
        }
    }

    [Fact]
    public void Skipping_leaves_the_weights_as_they_are_and_goes_on()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TinyRun.Run(output.Path, TinyRun.Options with { Guard = new GuardOptions { OnNan = OnNan.Skip, GradNorm = 1e-9, MostInterventions = 8 } }, observer);
        Assert.Equal(8, observer.Messages.Count(m => m.Code == "LB0616"));
        Assert.Equal(8, observer.Steps.Count);
        Assert.True(observer.Evaluations.TrueForAll(e => e.Loss == observer.Evaluations[0].Loss), "nothing was learned");
    }

    [Fact]
    public void Too_many_bad_steps_are_a_failure_with_the_documents()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => TinyRun.Run(output.Path, Enormous with { Guard = new GuardOptions { MostInterventions = 2 } }, observer));
        Assert.Equal("LB0603", error.Diagnostics[0].Code);
        Assert.Contains("Training documents of the step", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, observer.Messages.Count(m => m.Code == "LB0615"));
        Assert.False(Directory.Exists(Path.Combine(output.Path, "adapter")));
    }

    [Fact]
    public void Full_fine_tuning_without_a_checkpoint_has_nothing_to_go_back_to()
    {
        using TemporaryDirectory output = new();
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => TinyRun.RunFull(output.Path, Enormous, new RecordingObserver()));
        Assert.Contains("train.save_steps", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2.9, false)]
    [InlineData(3.1, true)]
    [InlineData(double.NaN, true)]
    public void A_spike_is_a_loss_of_so_many_times_the_mean_of_the_last_ten(double loss, bool isBad)
    {
        using TrainingGuard guard = new(new GuardOptions { LossSpike = 3 });
        TrainingState state = new("", 0, new DataPosition(0, 0), 0, null, null, 0);
        for (int i = 0; i < 10; i++)
        {
            if (!double.IsNaN(loss))
                Assert.Null(guard.Judge(loss, 1, state));
            state = state with { RecentLosses = guard.Remember(state.RecentLosses, i % 2 == 0 ? 0.5 : 1.5) };
        }

        Assert.Equal(isBad, guard.Judge(loss, 1, state) is not null);
    }
}
