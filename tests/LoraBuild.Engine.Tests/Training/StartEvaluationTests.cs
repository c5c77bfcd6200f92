// The evaluation before the first step: told and kept, and without a say in the run.
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class StartEvaluationTests
{
    private static readonly TrainOptions WithStart = TinyRun.Options with { EvalOnStart = true, GradientHistograms = 4 };

    [Fact]
    public void It_measures_the_base_model_and_the_result_has_the_same_bytes_as_without()
    {
        using TemporaryDirectory plain = new();
        using TemporaryDirectory measured = new();
        TinyRun.Run(plain.Path, TinyRun.Options, new RecordingObserver());
        RecordingObserver observer = new();
        TrainingResult result = TinyRun.Run(measured.Path, WithStart, observer);
        Assert.Equal([0, 2, 4, 6, 8], observer.Evaluations.Select(e => e.Step));
        Assert.False(observer.Evaluations[0].IsBest);
        Assert.Equal(TinyRun.Files(Path.Combine(plain.Path, "adapter")), TinyRun.Files(Path.Combine(measured.Path, "adapter")));
        Assert.Equal(File.ReadLines(Path.Combine(plain.Path, "metrics.jsonl")).Count(), File.ReadLines(Path.Combine(measured.Path, "metrics.jsonl")).Count());

        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        Assert.Equal(PerplexityEvaluator.Evaluate(model, TinyRun.Evaluation, WithStart.EvaluationBatchTokens).Loss, result.StartEvaluation!.Loss, 1e-9);
    }

    [Fact]
    public void A_run_that_goes_on_knows_it_from_its_checkpoint_and_a_cancelled_one_begins_with_it_again()
    {
        using TemporaryDirectory output = new();
        using CancellationTokenSource source = new();
        RecordingObserver first = new();
        TinyRun.Run(output.Path, WithStart, new RecordingObserver { OnStep = s => Cancel(s.Step, 5, source) }, cancellation: source.Token);
        RecordingObserver second = new();
        TrainingResult result = TinyRun.Run(output.Path, WithStart, second);
        Assert.DoesNotContain(second.Evaluations, e => e.Step == 0);
        Assert.NotNull(result.StartEvaluation);
        Assert.Equal((5, 4), (second.Start!.FirstStep, second.Start.EvaluatedStep));

        using TemporaryDirectory empty = new();
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        Assert.Equal((TrainingOutcome.Cancelled, 0), (TinyRun.Run(empty.Path, WithStart, first, cancellation: cancelled.Token).Outcome, first.Evaluations.Count));
    }

    [Fact]
    public void Without_evaluation_data_there_is_none()
    {
        using TemporaryDirectory output = new();
        Assert.Null(TinyRun.Run(output.Path, WithStart, new RecordingObserver(), hasEvaluation: false).StartEvaluation);
    }

    [Fact]
    public void Gradient_norms_come_as_often_as_was_asked_and_make_up_the_whole_norm()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        TinyRun.Run(output.Path, WithStart, observer);
        Assert.Equal([1, 2, 4, 6, 8], observer.Steps.Where(s => s.GradientNorms is not null).Select(s => s.Step));
        Assert.All(observer.Steps.Where(s => s.GradientNorms is not null), s =>
            Assert.Equal(s.GradNorm, Math.Sqrt(s.GradientNorms!.Sum(n => n * n)), 1e-9 * s.GradNorm));
    }

    private static void Cancel(int step, int at, CancellationTokenSource source)
    {
        if (step == at)
            source.Cancel();
    }
}
