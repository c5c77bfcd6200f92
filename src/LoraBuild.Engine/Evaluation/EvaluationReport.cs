// The figures of a pipeline as JSON: base and adapter, merged model, exports, all on the same held-out tokens.
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Core.IO;
using LoraBuild.Engine.Merging;

namespace LoraBuild.Engine.Evaluation;

/// <summary>How far a merged model is from base and adapter, when the base's weights are taken in the form that it was not merged into.</summary>
/// <param name="Name">The form: <see cref="FromQuantized"/> or <see cref="FromOriginal"/>.</param>
public sealed record OtherDrift(string Name, MergeDriftReport Drift)
{
    /// <summary>The codes that training saw.</summary>
    public const string FromQuantized = "quantized base and adapter";

    /// <summary>The weights of the base's files.</summary>
    public const string FromOriginal = "original base and adapter";
}

/// <summary>Each stage writes its part; together they are evaluation.json: <c>base</c>, <c>adapter</c>, <c>merged</c>, <c>gguf</c> by type, each with loss, perplexity and tokens.</summary>
public static class EvaluationReport
{
    public const string FileName = "evaluation.json";

    /// <param name="trained">With the adapter; after full fine-tuning the trained model.</param>
    public static void WriteTrained(string path, EvaluationResult before, EvaluationResult trained) =>
        Write(path, new JsonObject { ["base"] = Node(before), ["adapter"] = Node(trained) });

    /// <param name="heldOut">Of the re-read merged model; null where there are no held-out tokens.</param>
    /// <param name="drift">Of the merged model against base and adapter, with what was allowed.</param>
    /// <param name="other">Of a quantised base: against base and adapter in the other form of its weights, which nothing is held to.</param>
    public static void WriteMerged(string path, EvaluationResult? heldOut, MergeDriftReport drift, OtherDrift? other = null)
    {
        JsonObject merged = heldOut is null ? [] : Node(heldOut);
        merged["drift"] = new JsonObject
        {
            ["max_logit_difference"] = drift.MaxLogitDifference,
            ["max_logit_difference_allowed"] = drift.LogitLimit,
            ["perplexity"] = drift.PerplexityDrift,
            ["perplexity_allowed"] = drift.PerplexityLimit,
            ["tokens"] = drift.Tokens,
        };
        if (other is not null)
        {
            merged["drift"]!["from"] = other.Name == OtherDrift.FromQuantized ? OtherDrift.FromOriginal : OtherDrift.FromQuantized;
            merged["other_drift"] = new JsonObject
            {
                ["from"] = other.Name,
                ["max_logit_difference"] = other.Drift.MaxLogitDifference,
                ["perplexity"] = other.Drift.PerplexityDrift,
                ["tokens"] = other.Drift.Tokens,
            };
        }

        Write(path, new JsonObject { ["merged"] = merged });
    }

    /// <param name="merged">Of the merged model, from <see cref="WriteMerged"/>.</param>
    /// <param name="byType">GGUF type to what the re-read file gives.</param>
    public static void WriteGguf(string path, EvaluationResult? merged, IReadOnlyDictionary<string, EvaluationResult> byType)
    {
        JsonObject gguf = [];
        foreach ((string type, EvaluationResult result) in byType.OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            JsonObject node = Node(result);
            if (merged is not null)
                node["perplexity_increase"] = (result.Perplexity / merged.Perplexity) - 1;
            gguf[type] = node;
        }

        Write(path, new JsonObject { ["gguf"] = gguf });
    }

    /// <summary>The merged model's figures, as <see cref="WriteMerged"/> left them; null where it had no held-out tokens or was not measured.</summary>
    public static EvaluationResult? ReadMerged(string path)
    {
        if (!File.Exists(path) || JsonFile.ReadObject(path, "LB0618", "the stage merge writes it")["merged"] is not JsonObject merged || merged["loss"] is null)
            return null;
        return new EvaluationResult((double)merged["loss"]!, (double)merged["perplexity"]!, (long)merged["tokens"]!);
    }

    /// <summary>One file of all parts; written only where that changes it.</summary>
    public static void Compose(string path, IEnumerable<string> parts)
    {
        JsonObject report = [];
        foreach (string part in parts)
        {
            foreach ((string key, JsonNode? value) in JsonFile.ReadObject(part, "LB0618", "a stage wrote it; delete it, and the next build makes it again"))
                report[key] = value?.DeepClone();
        }

        string text = Text(report);
        if (!File.Exists(path) || File.ReadAllText(path) != text)
            AtomicFile.WriteAllText(path, text);
    }

    private static void Write(string path, JsonObject report)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.WriteAllText(path, Text(report));
    }

    private static string Text(JsonObject report) => report.ToJsonString(JsonFile.Indented) + "\n";

    private static JsonObject Node(EvaluationResult result) => new()
    {
        ["loss"] = result.Loss,
        ["perplexity"] = result.Perplexity,
        ["tokens"] = result.Tokens,
    };
}
