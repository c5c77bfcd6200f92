// Which files of a model are taken: safetensors, JSON, tokenizer and template files. Pickles and everything else never.
using System.Text.Json;
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Models;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Hub;

internal static partial class HubFiles
{
    private static readonly string[] PickleEndings = [".bin", ".pt", ".pth", ".pkl", ".ckpt"];
    private static readonly string[] TokenizerFiles = [.. Tokenizer.FileNames, "vocab.txt", "merges.txt"];

    /// <summary>The index of a sharded model, where the listing has one and no single file that would be read in its place.</summary>
    public static HubFile? IndexOf(HubListing listing) =>
        Find(listing, ModelFiles.SingleFileName) is null ? Find(listing, ModelFiles.IndexFileName) : null;

    /// <param name="shards">The files that the index names; empty where there is none.</param>
    /// <returns>Sorted; small files first, so that what can be wrong shows before the weights are fetched.</returns>
    /// <exception cref="DiagnosticException">LB0062: no model that can be read; LB0063: a file without size or hash.</exception>
    public static IReadOnlyList<HubFile> Choose(HubListing listing, HubName name, ModelContent content, IReadOnlyList<string> shards, Uri source)
    {
        if (content != ModelContent.Tokenizer && Find(listing, "config.json") is null)
            throw NoModel(listing, name, "it has no config.json");
        if (content == ModelContent.Tokenizer && !Tokenizer.FileNames.Any(file => Find(listing, file) is not null))
            throw NoModel(listing, name, $"it has no {string.Join(" or ", Tokenizer.FileNames)}");
        List<HubFile> chosen = [.. listing.Files.Where(f => IsSmallPart(f.Name))];
        if (content == ModelContent.Weights)
            chosen.AddRange(Weights(listing, name, shards));
        foreach (HubFile file in chosen)
        {
            if (file.Size < 0 || file.Hash.Length == 0)
                throw HubListing.Wrong(source, $"it gives no size or no hash of {file.Name}, without which what arrives cannot be checked");
        }

        return [.. chosen.OrderBy(f => f.Name.EndsWith(".safetensors", StringComparison.Ordinal)).ThenBy(f => f.Name, StringComparer.Ordinal)];
    }

    /// <summary>The values of an index's <c>weight_map</c>.</summary>
    /// <exception cref="DiagnosticException">LB0063: not an index, or a name that is not one of a file beside it.</exception>
    public static IReadOnlyList<string> ShardNames(byte[] index, Uri source)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(index, new JsonDocumentOptions { MaxDepth = 64 });
            List<string> names = [.. document.RootElement.GetProperty("weight_map").EnumerateObject().Select(p => p.Value.GetString() ?? "").Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
            return names.Find(n => !TopLevelForm().IsMatch(n) || !n.EndsWith(".safetensors", StringComparison.Ordinal)) is { } bad
                ? throw HubListing.Wrong(source, $"the index names '{string.Concat(bad.Take(80).Where(c => !char.IsControl(c)))}', which is no *.safetensors file beside it")
                : names;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw HubListing.Wrong(source, "it is no index with a \"weight_map\"");
        }
    }

    private static IEnumerable<HubFile> Weights(HubListing listing, HubName name, IReadOnlyList<string> shards)
    {
        if (Find(listing, ModelFiles.SingleFileName) is { } single)
            return [single];
        if (shards.Count == 0)
            throw NoModel(listing, name, $"it has neither {ModelFiles.SingleFileName} nor {ModelFiles.IndexFileName}");
        return shards.Select(shard => Find(listing, shard) ?? throw NoModel(listing, name, $"its index names {shard}, which it does not have"));
    }

    private static DiagnosticException NoModel(HubListing listing, HubName name, string reason)
    {
        bool has(string ending) => listing.Files.Any(f => f.Name.EndsWith(ending, StringComparison.Ordinal));
        string instead =
            has("adapter_config.json") ? "It holds an adapter: fetch the model that the adapter was trained on."
            : Array.Exists(PickleEndings, has) ? $"Its weights are pickle files ({string.Join(", ", PickleEndings.Where(has).Select(e => "*" + e))}), which run code when they are loaded and are never fetched. Look for a revision with safetensors (often a pull request of the hub's conversion bot: {name.Id}@refs/pr/N), or another upload of the model."
            : has(".gguf") ? "It holds GGUF files only, which are made from a model and cannot be trained: fetch the model that they were made from."
            : "Is it a data set, a space, or a model of another kind?";
        return new DiagnosticException("LB0062", $"{name} is no model that can be trained: {reason}. {instead}");
    }

    private static bool IsSmallPart(string name)
    {
        if (ExtraTemplateForm().IsMatch(name))
            return true;
        if (!TopLevelForm().IsMatch(name))
            return false;
        bool isOtherIndex = name.EndsWith(".index.json", StringComparison.Ordinal) && name != ModelFiles.IndexFileName;
        return (name.EndsWith(".json", StringComparison.Ordinal) && !isOtherIndex)
            || name.EndsWith(".jinja", StringComparison.Ordinal)
            || TokenizerFiles.Contains(name);
    }

    private static HubFile? Find(HubListing listing, string name) => listing.Files.FirstOrDefault(f => f.Name == name);

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9._+-]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex TopLevelForm();

    [GeneratedRegex(@"^additional_chat_templates/[A-Za-z0-9_][A-Za-z0-9._-]*\.jinja\z", RegexOptions.CultureInvariant)]
    private static partial Regex ExtraTemplateForm();
}
