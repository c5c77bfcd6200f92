// What the hub says about one revision of a model: its commit and its files. Every word of it is checked before it is used.
using System.Text.Json;
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Hub;

/// <param name="Name">Relative, with forward slashes; never leads out of its directory.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">Of a file in large file storage, lower-case hexadecimal; else null.</param>
/// <param name="GitBlob">Git's SHA-1 of the content of a small file (of a large one: of its pointer).</param>
public sealed record HubFile(string Name, long Size, string? Sha256, string GitBlob)
{
    /// <summary>The blob's name in the cache, as huggingface_hub names it: the file's ETag.</summary>
    public string Hash => Sha256 ?? GitBlob;
}

/// <param name="License">The license that the model's card names, such as <c>apache-2.0</c>.</param>
public sealed partial record HubListing(string Commit, IReadOnlyList<HubFile> Files, string? License)
{
    /// <summary>A listing of 100,000 files has about so many bytes.</summary>
    public const int MaxBytes = 32 << 20;

    private const int MaxNameLength = 512;
    private const string LicenseTag = "license:";

    /// <param name="source">The address, for the diagnostic.</param>
    /// <exception cref="DiagnosticException">LB0063: not such a listing, or a file name that leads out of its directory.</exception>
    public static HubListing Parse(ReadOnlyMemory<byte> json, Uri source)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 64 });
            JsonElement root = document.RootElement;
            string? commit = Text(root, "sha");
            if (commit is null || !HubCache.IsFullCommit(commit))
                throw Wrong(source, "it names no commit (\"sha\")");
            List<HubFile> files = [];
            if (!root.TryGetProperty("siblings", out JsonElement siblings) || siblings.ValueKind != JsonValueKind.Array)
                throw Wrong(source, "it lists no files (\"siblings\")");
            foreach (JsonElement sibling in siblings.EnumerateArray())
                files.Add(FileOf(sibling, source));
            return new HubListing(commit, [.. files.OrderBy(f => f.Name, StringComparer.Ordinal).DistinctBy(f => f.Name, StringComparer.Ordinal)], LicenseOf(root));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Wrong(source, "it is not the JSON that was expected");
        }
    }

    public static DiagnosticException Wrong(Uri source, string reason) =>
        new("LB0063", $"the answer of {source.GetLeftPart(UriPartial.Path)} is not used: {reason}. Is HF_ENDPOINT the address of a Hugging Face hub?");

    private static HubFile FileOf(JsonElement sibling, Uri source)
    {
        string name = Text(sibling, "rfilename") ?? throw Wrong(source, "a file has no name (\"rfilename\")");
        if (name.Length is 0 or > MaxNameLength || name.Any(c => char.IsControl(c) || c is '\\' or ':') || name.Split('/').Any(part => part is "" or "." or ".."))
            throw Wrong(source, $"the file name '{Shown(name)}' leads out of the model's directory or is no name");
        long size = sibling.TryGetProperty("size", out JsonElement number) && number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out long value) && value >= 0 ? value : -1;
        string? sha256 = sibling.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object ? Text(lfs, "sha256") : null;
        return new HubFile(
            name,
            size,
            sha256 is not null && Sha256Form().IsMatch(sha256) ? sha256 : null,
            Text(sibling, "blobId") is { } blob && HubCache.IsFullCommit(blob) ? blob : "");
    }

    private static string? LicenseOf(JsonElement root)
    {
        if (root.TryGetProperty("tags", out JsonElement tags) && tags.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement tag in tags.EnumerateArray())
            {
                if (tag.ValueKind == JsonValueKind.String && tag.GetString() is { } text && text.StartsWith(LicenseTag, StringComparison.Ordinal) && LicenseForm().IsMatch(text[LicenseTag.Length..]))
                    return text[LicenseTag.Length..];
            }
        }

        return null;
    }

    private static string? Text(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string Shown(string name) => string.Concat(name.Take(80).Select(c => char.IsControl(c) ? '?' : c));

    [GeneratedRegex(@"^[0-9a-f]{64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Sha256Form();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex LicenseForm();
}
