// What a run does beside its steps: evaluation, best state, early stopping, checkpoints, dropout, errors.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class TrainerTests
{
    [Fact]
    public void Evaluations_and_checkpoints_come_when_they_are_due()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TinyRun.Run(output.Path, TinyRun.Options with { LoadBestModelAtEnd = false, SaveTotalLimit = 0 }, observer);
        Assert.Equal([2, 4, 6, 8], observer.Evaluations.Select(e => e.Step));
        Assert.Equal([3, 6, 8], observer.Checkpoints.Select(c => c.Step));
        Assert.Equal(observer.Result!.BestEvalLoss, observer.Evaluations.Min(e => e.Loss));
        Assert.Equal(12, File.ReadAllLines(Path.Combine(output.Path, "metrics.jsonl")).Length);
    }

    [Fact]
    public void Log_lines_come_every_logging_steps_and_at_the_end()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TinyRun.Run(output.Path, TinyRun.Options with { LoggingSteps = 3 }, observer);
        Assert.Equal([3, 6, 8], observer.Steps.Where(s => s.ShouldLog).Select(s => s.Step));
    }

    [Fact]
    public void The_result_is_the_state_with_the_lowest_evaluation_loss_and_its_checkpoint_is_kept()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        // A rate that ruins the model after a few steps: the best state is an early one.
        TrainOptions options = TinyRun.Options with { LearningRate = 0.2, EvalSteps = 1, SaveSteps = 0, SaveTotalLimit = 1, WarmupSteps = 4, MaxGradNorm = 0 };
        TrainingResult result = TinyRun.Run(output.Path, options, observer);
        Assert.True(result.BestStep < 8, $"best step {result.BestStep}");
        Assert.Equal(["step-8", $"step-{result.BestStep}"], Directory.EnumerateDirectories(Path.Combine(output.Path, "checkpoints")).Select(Path.GetFileName).OrderDescending());

        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Load(model, result.OutputDirectory!, isTrainable: false);
        Assert.Equal(result.BestEvalLoss!.Value, PerplexityEvaluator.Evaluate(model, TinyRun.Evaluation, options.EvaluationBatchTokens).Loss, 1e-9);
    }

    [Fact]
    public void Early_stopping_ends_the_run_after_its_patience_and_a_second_start_does_not_go_on()
    {
        using TemporaryDirectory output = new();
        TrainOptions options = TinyRun.Options with { LearningRate = 0.2, EvalSteps = 1, WarmupSteps = 0, MaxGradNorm = 0, NumTrainEpochs = 10, EarlyStoppingPatience = 2 };
        RecordingObserver observer = new();
        TrainingResult result = TinyRun.Run(output.Path, options, observer);
        Assert.Equal(TrainingOutcome.StoppedEarly, result.Outcome);
        Assert.Equal(result.BestStep + 2, result.Step);
        RecordingObserver again = new();
        Assert.Equal(result.Step, TinyRun.Run(output.Path, options, again).Step);
        Assert.Empty(again.Steps);
    }

    [Fact]
    public void Dropout_depends_on_the_seed_alone()
    {
        Assert.Equal(Losses(seed: 1, dropout: 0.3), Losses(seed: 1, dropout: 0.3));
        Assert.NotEqual(Losses(seed: 1, dropout: 0.3), Losses(seed: 2, dropout: 0.3));
        Assert.NotEqual(Losses(seed: 1, dropout: 0.3), Losses(seed: 1, dropout: 0));
    }

    [Fact]
    public void Packing_changes_neither_loss_nor_gradient()
    {
        // The same documents in one optimizer step, cut into micro-batches in four ways.
        (double Loss, double GradNorm)[] ways =
        [
            FirstStep(TinyRun.Options with { Packing = false, BatchSize = 15, AccumulationSteps = 1 }),
            FirstStep(TinyRun.Options with { Packing = false, BatchSize = 1, AccumulationSteps = 15 }),
            FirstStep(TinyRun.Options with { Packing = true, MaxLength = 32, BatchSize = 1, AccumulationSteps = 100 }),
            FirstStep(TinyRun.Options with { Packing = true, MaxLength = 4096, BatchSize = 1, AccumulationSteps = 1 }),
        ];
        Assert.All(ways, way =>
        {
            Assert.Equal(ways[0].Loss, way.Loss, 2e-5);
            Assert.Equal(ways[0].GradNorm, way.GradNorm, ways[0].GradNorm * 2e-5);
        });
    }

    [Fact]
    public void A_loss_that_is_not_finite_names_step_and_documents_and_leaves_no_result()
    {
        using TemporaryDirectory output = new();
        TrainOptions options = TinyRun.Options with { LearningRate = 1e30, WarmupSteps = 0, MaxGradNorm = 0, Schedule = LearningRateScheduleKind.Constant, EvalSteps = 0, Shuffle = false, Guard = new GuardOptions { OnNan = OnNan.Stop } };
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => TinyRun.Run(output.Path, options, new RecordingObserver()));
        Assert.Equal("LB0603", error.Diagnostics[0].Code);
        Assert.Contains("step 2", error.Message, StringComparison.Ordinal);
        Assert.Contains("4, 5, 6, 7", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(output.Path, "adapter")));
    }

    [Fact]
    public void A_run_that_cannot_be_is_refused()
    {
        Refuses("LB0601", Documents.Of(), TinyRun.Options);
        Refuses("LB0602", Documents.WithLabels(([1, 2], [-100, -100])), TinyRun.Options);
        Refuses("LB0604", Documents.Of([1, TinyRun.VocabSize]), TinyRun.Options);
        Refuses("LB0606", TinyRun.Train, TinyRun.Options with { NumTrainEpochs = 0 });
        Refuses("LB0609", TinyRun.Train, TinyRun.Options with { EarlyStoppingPatience = 1 });
        using CausalLM frozen = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        Assert.Equal("LB0607", Assert.Throws<DiagnosticException>(() => Trainer.Run(frozen, null, TinyRun.Train, null, TinyRun.Options, "unused", new RecordingObserver())).Diagnostics[0].Code);
    }

    private static void Refuses(string code, TokenDocuments train, TrainOptions options)
    {
        using TemporaryDirectory output = new();
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { TargetModules = ["q_proj"] });
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => Trainer.Run(model, adapter, train, null, options, output.Path, new RecordingObserver()));
        Assert.Equal(code, error.Diagnostics[0].Code);
        Assert.Empty(Directory.EnumerateFileSystemEntries(output.Path));
    }

    private static double[] Losses(long seed, double dropout)
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TinyRun.Run(output.Path, TinyRun.Options with { Seed = seed, Shuffle = false, MaxSteps = 4 }, observer, dropout: dropout);
        return [.. observer.Steps.Select(s => s.Loss)];
    }

    private static (double Loss, double GradNorm) FirstStep(TrainOptions options)
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TinyRun.Run(output.Path, options with { MaxSteps = 1 }, observer, dropout: 0, hasEvaluation: false);
        return (observer.Steps[0].Loss, observer.Steps[0].GradNorm);
    }
}
