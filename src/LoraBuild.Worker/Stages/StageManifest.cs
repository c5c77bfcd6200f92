// What a finished stage says about itself: from what, with what, and to what content.
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Cards;
using LoraBuild.Core.IO;

namespace LoraBuild.Worker.Stages;

public sealed record OutputContent(string Sha256, long Size);

/// <param name="Revision">As it was asked for; null where the snapshot's directory was named.</param>
public sealed record HubModel(string Id, string? Revision, string Commit);

/// <param name="Fingerprint">Of everything that decided the outputs.</param>
/// <param name="Recipe">The keys that the stage read, <c>key: value</c> each.</param>
/// <param name="Inputs">Name to SHA-256.</param>
/// <param name="Base">Where the base model came from; null for a stage that reads none, and for a directory outside a cache. Only told: the inputs have its content.</param>
/// <param name="Outputs">Path relative to the pipeline's directory to content.</param>
public sealed record StageManifest(
    string Stage,
    string Fingerprint,
    string Tool,
    IReadOnlyList<string> Recipe,
    IReadOnlyDictionary<string, string> Inputs,
    HubModel? Base,
    IReadOnlyDictionary<string, OutputContent> Outputs)
{
    internal static readonly JsonSerializerOptions Json = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <returns>Null when there is none, or none that can be read: the stage counts as not finished.</returns>
    public static StageManifest? Read(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            JsonObject json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
            return new StageManifest(
                json["stage"]!.GetValue<string>(),
                json["fingerprint"]!.GetValue<string>(),
                json["tool"]!.GetValue<string>(),
                [.. json["recipe"]!.AsArray().Select(n => n!.GetValue<string>())],
                json["inputs"]!.AsObject().ToDictionary(p => p.Key, p => p.Value!.GetValue<string>()),
                json["base"] is JsonObject model ? new HubModel(model["id"]!.GetValue<string>(), model["revision"]?.GetValue<string>(), model["commit"]!.GetValue<string>()) : null,
                json["outputs"]!.AsObject().ToDictionary(p => p.Key, p => new OutputContent(p.Value!["sha256"]!.GetValue<string>(), p.Value!["size"]!.GetValue<long>())));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException or FormatException)
        {
            return null;
        }
    }

    public void Write(string path)
    {
        JsonObject json = new()
        {
            ["stage"] = Stage,
            ["fingerprint"] = Fingerprint,
            ["tool"] = Tool,
            ["recipe"] = new JsonArray([.. Recipe.Select(line => (JsonNode)line)]),
            ["inputs"] = new JsonObject(Inputs.OrderBy(i => i.Key, StringComparer.Ordinal).Select(i => KeyValuePair.Create<string, JsonNode?>(i.Key, i.Value))),
            ["outputs"] = new JsonObject(Outputs.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o =>
                KeyValuePair.Create<string, JsonNode?>(o.Key, new JsonObject { ["sha256"] = o.Value.Sha256, ["size"] = o.Value.Size }))),
        };
        if (Base is not null)
            json.Insert(json.IndexOf("outputs"), "base", new JsonObject { ["id"] = Base.Id, ["revision"] = Base.Revision, ["commit"] = Base.Commit });
        AtomicFile.WriteAllText(path, json.ToJsonString(Json) + "\n");
    }

    /// <summary>Whether every output is there with its size: a file that someone deleted or cut off makes the stage stale. A model card may be edited: it is for people, and theirs to go on writing.</summary>
    public bool HasItsOutputs(string root) =>
        Outputs.All(o => new FileInfo(Path.Combine(root, o.Key)) is { Exists: true } file && (file.Length == o.Value.Size || file.Name == ModelCard.FileName));
}
