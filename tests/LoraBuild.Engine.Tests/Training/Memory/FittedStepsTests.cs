// A run that memory is short for: it comes to its end with the same result within rounding, says what it did, and remembers it.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training.Memory;

public sealed class FittedStepsTests
{
    // The documents have 3 to 14 tokens. Dropout and noise are on: they must not depend on how a step is cut.
    private const int Longest = 14;
    private static readonly TrainOptions Options = TinyRun.Options with { BatchSize = 4, AccumulationSteps = 1, NeftuneNoiseAlpha = 5 };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Passes_become_smaller_and_losses_and_weights_stay_within_rounding(bool isPacking)
    {
        TrainOptions options = isPacking ? Options with { Packing = true, MaxLength = 24, BatchSize = 2 } : Options;
        using TemporaryDirectory plain = new();
        using TemporaryDirectory limited = new();
        RecordingObserver expected = new(), observer = new();
        Run(plain.Path, options, expected, () => int.MaxValue);
        LimitedObjective objective = Run(limited.Path, options, observer, () => 16);
        Assert.All(objective.Passes, tokens => Assert.InRange(tokens, 1, 16));
        Diagnostic[] warnings = [.. observer.Messages];
        Assert.NotEmpty(warnings);
        Assert.All(warnings, w => Assert.Equal(("LB0650", DiagnosticSeverity.Warning), (w.Code, w.Severity)));
        Assert.Matches(isPacking ? @"^step 1: .* train\.per_device_train_batch_tokens: \d+, train\.gradient_accumulation_steps: \d+\.$" : @"^step 1: .* train\.per_device_train_batch_size: 2, train\.gradient_accumulation_steps: 2\.$", warnings[0].Message);
        SameWithinRounding(expected, observer);
    }

    [Fact]
    public void A_document_that_does_not_fit_alone_gets_its_layers_computed_again()
    {
        using TemporaryDirectory plain = new();
        using TemporaryDirectory limited = new();
        RecordingObserver expected = new(), observer = new();
        Run(plain.Path, Options, expected, () => int.MaxValue);
        CausalLM? running = null;
        Run(limited.Path, Options, observer, () => running!.RecomputedLayers is null ? Longest - 4 : Longest, onModel: model => running = model);
        Assert.Contains(observer.Messages, m => m.Code == "LB0650");
        Diagnostic warning = Assert.Single(observer.Messages, m => m.Code == "LB0651");
        Assert.Contains("train.gradient_checkpointing: true", warning.Message, StringComparison.Ordinal);
        SameWithinRounding(expected, observer);
    }

    [Fact]
    public void Where_nothing_fits_the_run_ends_with_figures_and_its_checkpoints_stay()
    {
        using TemporaryDirectory output = new();
        int steps = 0;
        RecordingObserver observer = new() { OnStep = _ => steps++ };
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => Run(output.Path, Options with { SaveSteps = 2 }, observer, () => steps < 3 ? int.MaxValue : 0));
        Assert.Equal("LB0652", error.Diagnostics[0].Code);
        Assert.Contains("step 4", error.Message, StringComparison.Ordinal);
        Assert.Matches(@"template\.max_length: \d+", error.Message);
        Assert.Matches(@"base\.quantization: nf4 .* \d+\.\d MB in place of \d+\.\d", error.Message);
        Assert.Equal(["step-2"], Directory.EnumerateDirectories(Path.Combine(output.Path, "checkpoints")).Select(Path.GetFileName));

        RecordingObserver again = new();
        Run(output.Path, Options with { SaveSteps = 2 }, again, () => int.MaxValue);
        Assert.Equal(3, again.Steps[0].Step);
    }

    /// <summary>The limit falls in the middle, so that earlier steps were done in whole passes and are done so again.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(7)]
    public void A_run_that_was_killed_after_it_went_ends_with_the_same_bytes(int killedStep)
    {
        using TemporaryDirectory whole = new();
        using TemporaryDirectory cut = new();
        TrainOptions options = Options with { SaveSteps = 3 };
        int done = 0;
        Run(whole.Path, options, new RecordingObserver { OnStep = s => done = s.Step }, () => done < 3 ? int.MaxValue : 16);

        int steps = 0;
        Assert.Throws<KilledException>(() => Run(cut.Path, options, new RecordingObserver { OnStep = s => KillAt(steps = s.Step, killedStep) }, () => steps < 3 ? int.MaxValue : 16));
        RecordingObserver resumed = new() { OnStep = s => steps = s.Step };

        // Memory is back where it was already known to be short: what was found then decides.
        Run(cut.Path, options, resumed, () => killedStep > 3 ? int.MaxValue : steps < 3 ? int.MaxValue : 16);
        Assert.Equal(TinyRun.Files(Path.Combine(whole.Path, "adapter")), TinyRun.Files(Path.Combine(cut.Path, "adapter")));
    }

    [Fact]
    public void The_next_run_begins_with_what_was_found_on_the_same_machine()
    {
        using TemporaryDirectory output = new();
        TrainOptions options = Options with { Machine = "one", Resume = false };
        Run(output.Path, options, new RecordingObserver(), () => 16);

        RecordingObserver second = new();
        LimitedObjective objective = Run(output.Path, options, second, () => 16);
        Assert.Equal("LB0653", Assert.Single(second.Messages).Code);
        Assert.All(objective.Passes, tokens => Assert.InRange(tokens, 1, 16));

        foreach (TrainOptions other in new[] { options with { Machine = "two" }, options with { LearningRate = 1e-3 } })
        {
            RecordingObserver changed = new();
            Run(output.Path, other, changed, () => int.MaxValue);
            Assert.Empty(changed.Messages);
        }

        File.WriteAllText(Path.Combine(output.Path, "memory.json"), "{ broken");
        RecordingObserver broken = new();
        Run(output.Path, options, broken, () => int.MaxValue);
        Assert.Empty(broken.Messages);
    }

    [Fact]
    public void An_evaluation_that_does_not_fit_is_done_in_smaller_batches()
    {
        using TemporaryDirectory plain = new();
        using TemporaryDirectory limited = new();
        RecordingObserver expected = new(), observer = new();
        Run(plain.Path, Options, expected, () => int.MaxValue);
        Run(limited.Path, Options, observer, () => int.MaxValue, mostEvaluationTokens: 15);
        Assert.All(observer.Messages, m => Assert.Equal("LB0655", m.Code));
        Assert.InRange(observer.Messages.Count, 1, 2);
        Assert.Equal(expected.Evaluations.Select(e => Math.Round(e.Loss, 5)), observer.Evaluations.Select(e => Math.Round(e.Loss, 5)));

        using TemporaryDirectory none = new();
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => Run(none.Path, Options, new RecordingObserver(), () => int.MaxValue, mostEvaluationTokens: 0));
        Assert.Equal("LB0652", error.Diagnostics[0].Code);
    }

    [Fact]
    public void Automatic_sizes_fill_memory_and_leave_the_result_within_rounding()
    {
        TrainOptions options = Options with { BatchSize = 1, AccumulationSteps = 6 };
        using TemporaryDirectory plain = new();
        using TemporaryDirectory found = new();
        RecordingObserver expected = new(), observer = new(), second = new();
        Run(plain.Path, options, expected, () => int.MaxValue);
        LimitedObjective objective = Run(found.Path, options with { AutoFindBatchSize = true }, observer, () => 40);
        Diagnostic info = Assert.Single(observer.Messages);
        Assert.Equal("LB0654", info.Code);
        Assert.True(objective.Passes.Count(tokens => tokens > Longest) > observer.Steps.Count, "documents of several micro-batches are computed at once");
        SameWithinRounding(expected, observer);

        Run(found.Path, options with { AutoFindBatchSize = true, Resume = false }, second, () => 40);
        Assert.Equal("LB0653", Assert.Single(second.Messages).Code);
        Assert.Equal(observer.Steps.Select(s => s.Loss), second.Steps.Select(s => s.Loss));
    }

    [Fact]
    public void Automatic_sizes_end_where_nothing_fits()
    {
        using TemporaryDirectory output = new();
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => Run(output.Path, Options with { AutoFindBatchSize = true }, new RecordingObserver(), () => 2));
        Assert.Equal("LB0652", error.Diagnostics[0].Code);
        Assert.Contains("train.auto_find_batch_size", error.Message, StringComparison.Ordinal);
    }

    private static LimitedObjective Run(string output, TrainOptions options, RecordingObserver observer, Func<int> mostTokens, int mostEvaluationTokens = int.MaxValue, Action<CausalLM>? onModel = null)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, LoraDropout = 0.2, TargetModules = ["q_proj", "v_proj"], Seed = 3 });
        onModel?.Invoke(model);
        LimitedObjective? limited = null;
        Trainer.Run(model, adapter, TinyRun.Train, TinyRun.Evaluation, options, output, observer, inner => limited = new LimitedObjective(inner, mostTokens, mostEvaluationTokens));
        return limited!;
    }

    private static void SameWithinRounding(RecordingObserver expected, RecordingObserver actual)
    {
        Assert.Equal(expected.Steps.Count, actual.Steps.Count);
        foreach ((StepMetrics e, StepMetrics a) in expected.Steps.Zip(actual.Steps))
        {
            Assert.Equal(e.Loss, a.Loss, 2e-5);
            Assert.Equal(e.GradNorm, a.GradNorm, e.GradNorm * 2e-4);
            Assert.Equal(e.Tokens, a.Tokens);
        }

        Assert.Equal(expected.Result!.BestEvalLoss!.Value, actual.Result!.BestEvalLoss!.Value, 2e-5);
    }

    private static void KillAt(int step, int killedStep)
    {
        if (step == killedStep)
            throw new KilledException();
    }

    private sealed class KilledException : Exception;
}
