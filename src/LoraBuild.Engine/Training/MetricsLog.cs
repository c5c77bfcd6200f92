// metrics.jsonl: one line an optimizer step and one an evaluation, on the disk before a checkpoint says that the step is done.
using System.Text.Json.Nodes;

namespace LoraBuild.Engine.Training;

public sealed class MetricsLog : IDisposable
{
    private readonly StepLog log;

    private MetricsLog(StepLog log) => this.log = log;

    /// <summary>Opens the log of a run that goes on where a checkpoint stands: later lines, and a line that was cut off, are dropped.</summary>
    /// <param name="stepsDone">Last step whose line stays.</param>
    /// <param name="evaluatedStep">Last step whose evaluation stays.</param>
    public static MetricsLog Open(string path, int stepsDone, int evaluatedStep) => new(StepLog.Open(path, line => IsBefore(line, stepsDone, evaluatedStep)));

    /// <summary>Drops later lines: the run went back.</summary>
    public void BackTo(int stepsDone, int evaluatedStep) => log.Keep(line => IsBefore(line, stepsDone, evaluatedStep));

    public void Write(StepMetrics metrics)
    {
        JsonObject line = new()
        {
            ["step"] = metrics.Step,
            ["epoch"] = metrics.Epoch,
            ["loss"] = Number(metrics.Loss),
            ["grad_norm"] = Number(metrics.GradNorm),
            ["learning_rate"] = metrics.LearningRate,
            ["tokens"] = metrics.Tokens,
            ["tokens_per_second"] = Math.Round(metrics.TokensPerSecond, 2),
            ["peak_memory_bytes"] = metrics.PeakMemoryBytes,
        };
        AddPreference(line, "", metrics.Preference);
        log.Write(line);
    }

    public void Write(EvaluationMetrics metrics)
    {
        JsonObject line = new()
        {
            ["step"] = metrics.Step,
            ["eval_loss"] = metrics.Loss,
            ["eval_perplexity"] = Number(metrics.Perplexity),
            ["eval_tokens"] = metrics.Tokens,
        };
        AddPreference(line, "eval_", metrics.Preference);
        log.Write(line);
    }

    /// <summary>JSON has no NaN and no infinity: a step that was skipped has null, and so has the perplexity of a loss above 709.</summary>
    private static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;

    /// <summary>Names of TRL.</summary>
    private static void AddPreference(JsonObject line, string prefix, PreferenceMetrics? preference)
    {
        if (preference is null)
            return;
        line[prefix + "rewards/accuracies"] = preference.Accuracy;
        line[prefix + "rewards/margins"] = preference.Margin;
    }

    public void FlushToDisk() => log.FlushToDisk();

    public void Dispose() => log.Dispose();

    private static bool IsBefore(JsonObject line, int stepsDone, int evaluatedStep) =>
        (int?)line["step"] <= (line.ContainsKey("eval_loss") ? evaluatedStep : stepsDone);
}
