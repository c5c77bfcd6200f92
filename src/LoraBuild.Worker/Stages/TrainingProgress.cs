// What the trainer tells, as lines for people and values for programs.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Stages;

/// <summary>A live line gets every step; a log gets one every <see cref="TrainOptions.LoggingSteps"/>, and tables as lines.</summary>
/// <param name="summary">Of a finished run.</param>
internal sealed class TrainingProgress(IReporter reporter, Func<TrainingResult, TrainingSummary> summary) : ITrainingObserver, ISampleObserver
{
    private const int LongestSample = 160;

    public void Report(Diagnostic diagnostic) => reporter.Report(diagnostic);

    public void Started(TrainingStarted started)
    {
        reporter.Message(string.Create(
            CultureInfo.InvariantCulture,
            $"train: {started.TrainableParameters:N0} of {started.AllParameters:N0} parameters ({started.TrainablePercent:F2} %), {started.Documents:N0} documents, {started.TrainTokens:N0} tokens ({started.TargetTokens:N0} targets), {started.TotalSteps:N0} steps"));
        Show(TrainingTables.Parameters(started), TrainingTables.ParameterLines(started));
    }

    public void Stepped(StepMetrics step)
    {
        if (!step.ShouldLog && !reporter.IsLive)
            return;
        reporter.Progress(
            string.Create(
                CultureInfo.InvariantCulture,
                $"train: step {step.Step}/{step.TotalSteps}  loss {step.Loss:F4}  rate {step.LearningRate:G3}  {step.MeanTokensPerSecond:N0} tokens/s  {step.PeakMemoryBytes / 1e6:N0} MB  {Clock.Text(step.TimeLeft)} left"),
            new JsonObject
            {
                ["stage"] = "train",
                ["step"] = step.Step,
                ["steps"] = step.TotalSteps,
                ["loss"] = double.IsFinite(step.Loss) ? step.Loss : null,
                ["learning_rate"] = step.LearningRate,
                ["tokens_per_second"] = step.MeanTokensPerSecond,
                ["peak_memory_bytes"] = step.PeakMemoryBytes,
                ["seconds_left"] = step.TimeLeft.TotalSeconds,
            });
    }

    public void Evaluated(EvaluationMetrics evaluation) => reporter.Message(string.Create(
        CultureInfo.InvariantCulture,
        $"train: step {evaluation.Step}/{evaluation.TotalSteps}  held-out loss {evaluation.Loss:F4}  perplexity {evaluation.Perplexity:F3}{(evaluation.IsBest ? "  (best so far)" : "")}"));

    public void Sampled(IReadOnlyList<TrainingSample> samples)
    {
        foreach (TrainingSample sample in samples)
            reporter.Message($"train:   “{Short(sample.Question)}” → “{Short(sample.Answer)}”");
    }

    /// <summary>In metrics and on the disk; in a log a line each would only push the losses away.</summary>
    public void CheckpointSaved(CheckpointSaved checkpoint)
    {
        if (reporter.IsLive)
            reporter.Message($"train: step {checkpoint.Step}: checkpoint written");
    }

    public void Finished(TrainingResult result)
    {
        reporter.Message(string.Create(
            CultureInfo.InvariantCulture,
            $"train: done after {result.Step} steps{(result.BestStep is { } best ? $", best held-out loss {result.BestEvalLoss:F4} at step {best}" : "")}"));
        TrainingSummary figures = summary(result);
        reporter.Message(string.Create(
            CultureInfo.InvariantCulture,
            $"train: {figures.Tokens:N0} tokens in {Clock.Text(figures.Training)} of training ({figures.TokensPerSecond:N0} tokens/s), peak memory {figures.PeakMemoryBytes / 1e6:N0} MB"));
        if (TrainingTables.BeforeAndAfter(figures) is { } table)
            Show(table, TrainingTables.Lines(table));
    }

    private void Show(TextTable table, IEnumerable<string> lines)
    {
        if (reporter.IsLive)
        {
            reporter.Message(TextTables.Text(table.Columns, table.Rows));
            return;
        }

        foreach (string line in lines)
            reporter.Message(line);
    }

    private static string Short(string text)
    {
        string line = text.ReplaceLineEndings(" ").Trim();
        return line.Length <= LongestSample ? line : line[..LongestSample] + "…";
    }
}
