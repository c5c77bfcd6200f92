// What the trainer tells, as lines for people and values for programs.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Stages;

internal sealed class TrainingProgress(IReporter reporter) : ITrainingObserver
{
    public void Report(Diagnostic diagnostic) => reporter.Report(diagnostic);

    public void Started(TrainingStarted started) => reporter.Message(string.Create(
        CultureInfo.InvariantCulture,
        $"train: {started.TrainableParameters:N0} of {started.AllParameters:N0} parameters ({started.TrainablePercent:F2} %), {started.Documents:N0} documents, {started.TrainTokens:N0} tokens ({started.TargetTokens:N0} targets), {started.TotalSteps:N0} steps"));

    public void Stepped(StepMetrics step)
    {
        if (!step.ShouldLog)
            return;
        reporter.Progress(
            string.Create(
                CultureInfo.InvariantCulture,
                $"train: step {step.Step}/{step.TotalSteps}  loss {step.Loss:F4}  rate {step.LearningRate:G3}  {step.TokensPerSecond:N0} tokens/s  {step.PeakMemoryBytes / 1e6:N0} MB  {Clock.Text(step.TimeLeft)} left"),
            new JsonObject
            {
                ["stage"] = "train",
                ["step"] = step.Step,
                ["steps"] = step.TotalSteps,
                ["loss"] = double.IsFinite(step.Loss) ? step.Loss : null,
                ["learning_rate"] = step.LearningRate,
                ["tokens_per_second"] = step.TokensPerSecond,
                ["peak_memory_bytes"] = step.PeakMemoryBytes,
                ["seconds_left"] = step.TimeLeft.TotalSeconds,
            });
    }

    public void Evaluated(EvaluationMetrics evaluation) => reporter.Message(string.Create(
        CultureInfo.InvariantCulture,
        $"train: step {evaluation.Step}/{evaluation.TotalSteps}  held-out loss {evaluation.Loss:F4}  perplexity {evaluation.Perplexity:F3}{(evaluation.IsBest ? "  (best so far)" : "")}"));

    public void CheckpointSaved(CheckpointSaved checkpoint)
    {
        // In metrics and on the disk; a line each would only push the losses away.
    }

    public void Finished(TrainingResult result) => reporter.Message(string.Create(
        CultureInfo.InvariantCulture,
        $"train: done after {result.Step} steps{(result.BestStep is { } best ? $", best held-out loss {result.BestEvalLoss:F4} at step {best}" : "")}"));
}
