// metrics.jsonl: one line an optimizer step and one an evaluation, on the disk before a checkpoint says that the step is done.
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Training;

public sealed class MetricsLog : IDisposable
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);
    private readonly FileStream stream;

    private MetricsLog(FileStream stream) => this.stream = stream;

    /// <summary>Opens the log of a run that goes on where a checkpoint stands: later lines, and a line that was cut off, are dropped.</summary>
    /// <param name="stepsDone">Last step whose line stays.</param>
    /// <param name="evaluatedStep">Last step whose evaluation stays.</param>
    public static MetricsLog Open(string path, int stepsDone, int evaluatedStep)
    {
        string[] kept = File.Exists(path) ? [.. File.ReadLines(path).Where(line => IsBefore(line, stepsDone, evaluatedStep))] : [];
        AtomicFile.WriteLines(path, writer =>
        {
            foreach (string line in kept)
                writer.WriteLine(line);
        });
        return new MetricsLog(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read));
    }

    public void Write(StepMetrics metrics)
    {
        JsonObject line = new()
        {
            ["step"] = metrics.Step,
            ["epoch"] = metrics.Epoch,
            ["loss"] = metrics.Loss,
            ["grad_norm"] = metrics.GradNorm,
            ["learning_rate"] = metrics.LearningRate,
            ["tokens"] = metrics.Tokens,
            ["tokens_per_second"] = Math.Round(metrics.TokensPerSecond, 2),
            ["peak_memory_bytes"] = metrics.PeakMemoryBytes,
        };
        if (metrics.Preference is { } preference)
        {
            line["rewards/accuracies"] = preference.Accuracy; // names of TRL
            line["rewards/margins"] = preference.Margin;
        }

        WriteLine(line);
    }

    public void Write(EvaluationMetrics metrics) => WriteLine(new JsonObject
    {
        ["step"] = metrics.Step,
        ["eval_loss"] = metrics.Loss,
        ["eval_perplexity"] = metrics.Perplexity,
        ["eval_tokens"] = metrics.Tokens,
    });

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
