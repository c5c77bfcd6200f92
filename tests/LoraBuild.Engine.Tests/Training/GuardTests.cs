// Steps that go wrong, provoked for real: an enormous rate, a document that spikes.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
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

    [Theory]
    [InlineData(2, 4)]
    [InlineData(5, 0)] // the checkpoint after step 5 holds the very weights that step 6 is bad with
    public void A_rollback_goes_to_the_newest_checkpoint_before_the_bad_weights_also_after_a_kill(int saveSteps, int back)
    {
        TrainOptions options = TinyRun.Options with { SaveSteps = saveSteps, EvalSteps = 100, LoadBestModelAtEnd = false };
        double bad = LossesOf(options)[5];
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        Run(output.Path, options, observer, new SpoiledRun(bad));
        Assert.Contains("step 6: the loss is NaN. Training documents", Assert.Single(observer.Messages).Message, StringComparison.Ordinal);
        Assert.Contains($"Back to step {back} with 0.5 times the rate", observer.Messages[0].Message, StringComparison.Ordinal);
        Assert.Equal((back, 0), Assert.Single(observer.Returns));
        Assert.Equal([1, 2, 3, 4, 5, .. Enumerable.Range(back + 1, 8 - back)], observer.Steps.Select(s => s.Step));

        // Stopped before the bad step: at step 5 stands a checkpoint, and the run that goes on has never seen the start.
        using TemporaryDirectory stopped = new();
        using CancellationTokenSource cancellation = new();
        Run(stopped.Path, options, new RecordingObserver { OnStep = step => { if (step.Step == 5) cancellation.Cancel(); } }, new SpoiledRun(bad), cancellation.Token);
        RecordingObserver second = new();
        Run(stopped.Path, options, second, new SpoiledRun(bad));
        Assert.Equal((back, 0), Assert.Single(second.Returns));
        Assert.Equal(TinyRun.Files(Path.Combine(output.Path, "adapter")), TinyRun.Files(Path.Combine(stopped.Path, "adapter")));
    }

    [Fact]
    public void Checkpoints_of_the_way_that_was_left_do_not_stay()
    {
        TrainOptions options = TinyRun.Options with { SaveSteps = 2, SaveTotalLimit = 8, EvalSteps = 100, LoadBestModelAtEnd = false };
        double bad = LossesOf(options)[6];
        using TemporaryDirectory output = new();
        using CancellationTokenSource cancellation = new();
        RecordingObserver observer = new() { OnReturn = cancellation.Cancel };
        Run(output.Path, options, observer, new SpoiledRun(bad), cancellation.Token);
        Assert.Equal((4, 0), Assert.Single(observer.Returns)); // after 6 stood one of the bad weights
        Assert.Equal(["step-2", "step-4"], Directory.EnumerateDirectories(Path.Combine(output.Path, "checkpoints")).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void An_evaluation_that_is_not_finite_is_gone_back_from()
    {
        TrainOptions options = TinyRun.Options with { SaveSteps = 2 };
        EvaluationMetrics bad = EvaluationsOf(options)[2];
        Assert.Equal(6, bad.Step);
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TrainingResult result = Run(output.Path, options, observer, new SpoiledRun(bad.Loss));
        string message = Assert.Single(observer.Messages).Message;
        Assert.Contains("the evaluation after step 6: the loss is NaN", message, StringComparison.Ordinal);
        Assert.Contains("Back to step 4", message, StringComparison.Ordinal);
        Assert.Equal([2, 4, 6, 8], observer.Evaluations.Select(e => e.Step));
        Assert.All(observer.Evaluations, e => Assert.True(double.IsFinite(e.Loss)));
        Assert.Equal(observer.Evaluations.MinBy(e => e.Loss)!.Step, result.BestStep);

        foreach (OnNan policy in new[] { OnNan.Stop, OnNan.Skip })
        {
            using TemporaryDirectory ended = new();
            DiagnosticException error = Assert.Throws<DiagnosticException>(() => Run(ended.Path, options with { Guard = new GuardOptions { OnNan = policy } }, new RecordingObserver(), new SpoiledRun(bad.Loss)));
            Assert.Equal("LB0603", error.Diagnostics[0].Code);
            Assert.False(Directory.Exists(Path.Combine(ended.Path, "adapter")));
        }
    }

    [Fact]
    public void An_update_that_breaks_the_weights_in_the_last_step_is_gone_back_from()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TrainingResult result = TinyRun.Run(output.Path, Enormous with { LearningRate = 1e39, MaxSteps = 1, Guard = new GuardOptions { RateFactor = 1e-42 } }, observer, hasEvaluation: false);
        Assert.Equal(TrainingOutcome.Completed, result.Outcome);
        string message = Assert.Single(observer.Messages).Message;
        Assert.Contains("the weights after step 1: ", message, StringComparison.Ordinal);
        Assert.Contains("is not finite", message, StringComparison.Ordinal);
        Assert.Equal((0, 0), Assert.Single(observer.Returns));
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(output.Path, "adapter", PeftAdapterFiles.WeightsFileName));
        Assert.All(file.Tensors.Keys, name => Assert.All(file.ReadFloat32(name), value => Assert.True(float.IsFinite(value))));
    }

    [Theory]
    [InlineData(OnNan.Stop)]
    [InlineData(OnNan.Skip)]
    public void Weights_that_are_not_finite_are_neither_a_checkpoint_nor_a_result_and_the_error_names_what_is_left(OnNan policy)
    {
        using TemporaryDirectory output = new();
        TrainOptions options = TinyRun.Options with { Guard = new GuardOptions { OnNan = policy } };
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => RunBroken(output.Path, options, badStep: 8));
        Assert.Equal("LB0603", error.Diagnostics[0].Code);
        Assert.Contains("the weights after step 8: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("checkpoints/step-6", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(output.Path, "adapter")));
        Assert.False(Directory.Exists(Path.Combine(output.Path, "checkpoints", "step-8")));
        Assert.True(Directory.Exists(Path.Combine(output.Path, "checkpoints", "step-6")));
    }

    [Fact]
    public void A_perplexity_that_no_number_holds_ends_no_run()
    {
        using TemporaryDirectory output = new();
        TrainingResult result = Run(output.Path, TinyRun.Options with { EvalOnStart = true, MetricForBestModel = BestMetric.EvalPerplexity }, new RecordingObserver(), new SpoiledRun(double.NaN) { Perplexity = double.PositiveInfinity });
        Assert.Equal((TrainingOutcome.Completed, 2), (result.Outcome, result.BestStep)); // the first of equals
        JsonNode line = File.ReadLines(Path.Combine(output.Path, "metrics.jsonl")).Select(l => JsonNode.Parse(l)!).First(l => l["eval_loss"] is not null);
        Assert.Null(line["eval_perplexity"]);
        Assert.True(line.AsObject().ContainsKey("eval_perplexity"));
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
        TrainingGuard guard = new(new GuardOptions { LossSpike = 3 });
        TrainingState state = new("", 0, new DataPosition(0, 0), 0, null, null, 0);
        for (int i = 0; i < 10; i++)
        {
            if (!double.IsNaN(loss))
                Assert.Null(guard.Judge(loss, 1, state));
            state = state with { RecentLosses = guard.Remember(state.RecentLosses, i % 2 == 0 ? 0.5 : 1.5) };
        }

        Assert.Equal(isBad, guard.Judge(loss, 1, state) is not null);
    }

    private static double[] LossesOf(TrainOptions options)
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        Run(output.Path, options, observer, new SpoiledRun(double.NaN));
        return [.. observer.Steps.Select(s => s.Loss)];
    }

    private static IReadOnlyList<EvaluationMetrics> EvaluationsOf(TrainOptions options)
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        Run(output.Path, options, observer, new SpoiledRun(double.NaN));
        return observer.Evaluations;
    }

    /// <summary>A run whose update of one step leaves a weight that is not finite.</summary>
    private static TrainingResult RunBroken(string output, TrainOptions options, int badStep)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, TargetModules = ["q_proj", "v_proj"], Seed = 3 });
        RecordingObserver observer = new()
        {
            OnStep = step =>
            {
                using IDisposable noGrad = TorchSharp.torch.no_grad();
                if (step.Step == badStep)
                    adapter.Modules[^1].B.mul_(double.PositiveInfinity);
            },
        };
        return Trainer.Run(model, adapter, TinyRun.Train, null, options, output, observer);
    }

    /// <summary>Steps of one micro-batch, so that a pass's loss is the step's.</summary>
    private static TrainingResult Run(string output, TrainOptions options, RecordingObserver observer, SpoiledRun spoiled, CancellationToken cancellation = default)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, LoraDropout = 0.1, TargetModules = ["q_proj", "v_proj"], Seed = 3 });
        return Trainer.Run(model, adapter, TinyRun.Train, TinyRun.Evaluation, options with { BatchSize = 4, AccumulationSteps = 1 }, output, observer, spoiled.Around, cancellation);
    }

    /// <summary>Weights that are broken, as far as the trainer can see: wherever the loss would be this very number, it is none.</summary>
    private sealed class SpoiledRun(double bad) : ITrainingObjective
    {
        private ITrainingObjective inner = null!;

        public double? Perplexity { get; init; }

        public IReadOnlyList<int> UnitLengths => inner.UnitLengths;

        public ITrainingObjective Around(ITrainingObjective objective)
        {
            inner = objective;
            return this;
        }

        public MicroBatch Batch(IEnumerable<int> units) => inner.Batch(units);

        public long ItemsOf(MicroBatch batch) => inner.ItemsOf(batch);

        public double Backward(MicroBatch batch, long items) => Spoiled(inner.Backward(batch, items));

        public EvaluationResult Evaluate(TokenDocuments documents, int batchTokens, CancellationToken cancellation)
        {
            EvaluationResult result = inner.Evaluate(documents, batchTokens, cancellation);
            return result with { Loss = Spoiled(result.Loss), Perplexity = Perplexity ?? result.Perplexity };
        }

        public PreferenceMetrics? TakePreferences() => inner.TakePreferences();

        private double Spoiled(double loss) => loss == bad ? double.NaN : loss;
    }
}
