// evaluation.json: loss and perplexity of base, adapter, merged model and exports on the same held-out tokens.
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Evaluation;

/// <param name="Base">Without the adapter.</param>
/// <param name="Adapter">With it; after full fine-tuning the trained model.</param>
/// <param name="Merged">Null until the merged model was measured.</param>
/// <param name="Gguf">By GGUF type.</param>
public sealed record EvaluationReport(
    EvaluationResult Base,
    EvaluationResult Adapter,
    EvaluationResult? Merged = null,
    IReadOnlyDictionary<string, EvaluationResult>? Gguf = null)
{
    public const string FileName = "evaluation.json";

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, NewLine = "\n" };

    public void Write(string path)
    {
        JsonObject report = new()
        {
            ["base"] = Node(Base),
            ["adapter"] = Node(Adapter),
        };
        if (Merged is not null)
            report["merged"] = Node(Merged);
        if (Gguf is not null)
            report["gguf"] = new JsonObject(Gguf.OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => KeyValuePair.Create<string, JsonNode?>(g.Key, Node(g.Value))));
        AtomicFile.WriteAllText(path, report.ToJsonString(Json) + "\n");
    }

    private static JsonObject Node(EvaluationResult result) => new()
    {
        ["loss"] = result.Loss,
        ["perplexity"] = result.Perplexity,
        ["tokens"] = result.Tokens,
    };
}
