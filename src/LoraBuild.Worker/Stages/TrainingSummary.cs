// A finished run in figures, over all the processes that had a part in it: metrics.jsonl has each step once.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Training;

namespace LoraBuild.Worker.Stages;

/// <summary>One evaluation.</summary>
internal sealed record EvaluationFigures(double Loss, double Perplexity, PreferenceMetrics? Preference);

/// <param name="Before">The evaluation before the first step, where there was one.</param>
/// <param name="After">Of the state that was written.</param>
/// <param name="AfterStep">The step of that state.</param>
/// <param name="Tokens">Trained on, passes counted.</param>
/// <param name="Training">Time of the steps alone, without evaluations and checkpoints.</param>
internal sealed record TrainingSummary(EvaluationFigures? Before, EvaluationFigures? After, int? AfterStep, int Steps, long Tokens, TimeSpan Training, long PeakMemoryBytes)
{
    public double TokensPerSecond => Training > TimeSpan.Zero ? Tokens / Training.TotalSeconds : 0;

    /// <param name="isBestWritten">Whether the best state is the result, not the last.</param>
    public static TrainingSummary Of(TrainingResult result, string metricsFile, bool isBestWritten)
    {
        List<JsonObject> lines = [.. ReadShared(metricsFile).Select(line => JsonNode.Parse(line)!.AsObject())];
        List<JsonObject> steps = lines.FindAll(line => line.ContainsKey("tokens"));
        JsonObject? after = lines.FindLast(line => line.ContainsKey("eval_loss") && (!isBestWritten || (int?)line["step"] == result.BestStep));
        double seconds = steps.Sum(s => (double)s["tokens_per_second"]! is > 0 and double rate ? (long)s["tokens"]! / rate : 0);
        return new TrainingSummary(
            result.StartEvaluation is { } start ? new EvaluationFigures(start.Loss, start.Perplexity, start.Preference) : null,
            after is null ? null : new EvaluationFigures((double)after["eval_loss"]!, (double?)after["eval_perplexity"] ?? double.PositiveInfinity, PreferenceOf(after)),
            (int?)after?["step"],
            result.Step,
            steps.Sum(s => (long)s["tokens"]!),
            TimeSpan.FromSeconds(seconds),
            steps.Count == 0 ? 0 : steps.Max(s => (long)s["peak_memory_bytes"]!));
    }

    private static PreferenceMetrics? PreferenceOf(JsonObject line) => line["eval_rewards/accuracies"] is { } accuracy
        ? new PreferenceMetrics((double)accuracy, (double)line["eval_rewards/margins"]!)
        : null;

    /// <summary>The trainer still holds the file open for writing.</summary>
    private static IEnumerable<string> ReadShared(string file)
    {
        using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(stream);
        while (reader.ReadLine() is { } line)
            yield return line;
    }
}
