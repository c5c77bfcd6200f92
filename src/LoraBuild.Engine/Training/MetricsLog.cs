// metrics.jsonl: one line an optimizer step and one an evaluation, on the disk before a checkpoint says that the step is done.
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Training;

public sealed class MetricsLog : IDisposable
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);
    private readonly string path;
    private FileStream stream;

    private MetricsLog(string path, int stepsDone, int evaluatedStep)
    {
        this.path = path;
        stream = Reopen(path, stepsDone, evaluatedStep);
    }

    /// <summary>Opens the log of a run that goes on where a checkpoint stands: later lines, and a line that was cut off, are dropped.</summary>
    /// <param name="stepsDone">Last step whose line stays.</param>
    /// <param name="evaluatedStep">Last step whose evaluation stays.</param>
    public static MetricsLog Open(string path, int stepsDone, int evaluatedStep) => new(path, stepsDone, evaluatedStep);

    /// <summary>Drops later lines: the run went back.</summary>
    public void BackTo(int stepsDone, int evaluatedStep)
    {
        stream.Dispose();
        stream = Reopen(path, stepsDone, evaluatedStep);
    }

    private static FileStream Reopen(string path, int stepsDone, int evaluatedStep)
    {
        string[] kept = File.Exists(path) ? [.. File.ReadLines(path).Where(line => IsBefore(line, stepsDone, evaluatedStep))] : [];
        AtomicFile.WriteLines(path, writer =>
        {
            foreach (string line in kept)
                writer.WriteLine(line);
        });
        return new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read);
    }

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
        WriteLine(line);
    }

    public void Write(EvaluationMetrics metrics)
    {
        JsonObject line = new()
        {
            ["step"] = metrics.Step,
            ["eval_loss"] = metrics.Loss,
            ["eval_perplexity"] = metrics.Perplexity,
            ["eval_tokens"] = metrics.Tokens,
        };
        AddPreference(line, "eval_", metrics.Preference);
        WriteLine(line);
    }

    /// <summary>JSON has no NaN: a step that was skipped has null.</summary>
    private static JsonNode? Number(double value) => double.IsFinite(value) ? value : null;

    /// <summary>Names of TRL.</summary>
    private static void AddPreference(JsonObject line, string prefix, PreferenceMetrics? preference)
    {
        if (preference is null)
            return;
        line[prefix + "rewards/accuracies"] = preference.Accuracy;
        line[prefix + "rewards/margins"] = preference.Margin;
    }

    public void FlushToDisk() => stream.Flush(flushToDisk: true);

    public void Dispose() => stream.Dispose();

    private void WriteLine(JsonObject line)
    {
        stream.Write(Utf8.GetBytes(line.ToJsonString() + "\n"));
        stream.Flush();
    }

    private static bool IsBefore(string line, int stepsDone, int evaluatedStep)
    {
        try
        {
            return JsonNode.Parse(line) is JsonObject metrics && (int?)metrics["step"] <= (metrics.ContainsKey("eval_loss") ? evaluatedStep : stepsDone);
        }
        catch (JsonException)
        {
            return false; // a line that a kill cut off
        }
    }
}
