// Finds the directory behind a model's name: a local directory, else a snapshot in the Hugging Face cache. No network.
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Models;

/// <summary>Resolves <c>base.model</c>. Nothing is read from the environment: the caller says where caches are.</summary>
public static partial class BaseModelLocator
{
    // huggingface_hub: repository ids have at most 96 characters.
    private const int MaxIdLength = 96;

    /// <summary>The absolute directory that holds the model.</summary>
    /// <param name="modelOrId">A directory, or a hub id <c>org/name[@revision]</c>; the revision is a branch, tag or commit, by default <c>main</c>.</param>
    /// <param name="cacheRoots">Hugging Face caches in the order of search: what <c>HF_HUB_CACHE</c> names, or what <c>HF_HOME</c> names (its <c>hub</c> folder is looked into too).</param>
    /// <param name="place">Where the recipe names the model, for the diagnostic.</param>
    /// <param name="requiredFile">What the directory must hold; <c>tokenizer.json</c> when only the tokenizer is wanted.</param>
    /// <exception cref="DiagnosticException">LB0051 nowhere, LB0052 the directory is no model, LB0053 not a model's name, LB0054 the cache holds another revision or an unfinished download.</exception>
    public static string Locate(string modelOrId, IReadOnlyList<string> cacheRoots, RecipePlace? place = null, string requiredFile = "config.json")
    {
        place ??= RecipePlace.None;
        if (modelOrId.Length == 0 || modelOrId.Contains('\0', StringComparison.Ordinal))
            throw Error("LB0053", "the model's name is empty; write a directory or org/name.", place);
        if (Directory.Exists(modelOrId))
            return InDirectory(Path.TrimEndingDirectorySeparator(Path.GetFullPath(modelOrId)), requiredFile, place);
        if (Path.IsPathRooted(modelOrId) || modelOrId.StartsWith('.') || modelOrId.Contains('\\', StringComparison.Ordinal))
            throw Error("LB0052", $"the model's directory {modelOrId} does not exist. Fetch one there with: hf download ORG/NAME --local-dir {Quoted(modelOrId)} (older: huggingface-cli download …). Or name another directory or a hub id: -p:BaseModel=… in a build, --set base.model=… on the command line.", place);
        return InCache(modelOrId, cacheRoots, requiredFile, place);
    }

    private static string InDirectory(string directory, string requiredFile, RecipePlace place)
    {
        if (File.Exists(Path.Combine(directory, requiredFile)))
            return directory;
        string beneath = Directory.EnumerateDirectories(directory)
            .Where(d => File.Exists(Path.Combine(d, requiredFile)))
            .Select(d => Path.GetFileName(d))
            .Order(StringComparer.Ordinal)
            .FirstOrDefault() is { } inner ? $" Did you mean {Path.Combine(directory, inner)}?" : "";
        throw Error("LB0052", $"{directory} holds no {requiredFile}, so it is not a model in Hugging Face's form.{beneath}", place);
    }

    private static string Quoted(string path) => path.Contains(' ', StringComparison.Ordinal) ? $"\"{path}\"" : path;

    private static string InCache(string name, IReadOnlyList<string> cacheRoots, string requiredFile, RecipePlace place)
    {
        int at = name.IndexOf('@', StringComparison.Ordinal);
        string id = at < 0 ? name : name[..at];
        string revision = at < 0 ? "main" : name[(at + 1)..];
        if (id.Length > MaxIdLength || !HubId().IsMatch(id) || id.Contains("--", StringComparison.Ordinal) || id.Contains("..", StringComparison.Ordinal))
            throw Error("LB0053", $"'{name}' is neither a directory nor a hub id; a hub id has the form org/name or org/name@revision.", place);
        if (!Revision().IsMatch(revision) || revision.Contains("..", StringComparison.Ordinal))
            throw Error("LB0053", $"'{revision}' is no revision; write a branch, a tag or a commit after the @ of {name}.", place);

        string folder = "models--" + id.Replace("/", "--", StringComparison.Ordinal);
        List<string> repositories = [.. cacheRoots.SelectMany(root => new[] { Path.Combine(root, folder), Path.Combine(root, "hub", folder) }).Select(Path.GetFullPath).Where(Directory.Exists)];
        foreach (string repository in repositories)
        {
            if (Snapshot(repository, revision) is { } snapshot && File.Exists(Path.Combine(snapshot, requiredFile)))
                return snapshot;
        }

        throw repositories.Count > 0
            ? Error("LB0054", $"the cache holds {id}, but not revision {revision} with its {requiredFile} (searched: {string.Join(", ", repositories)}). {Mend(id, at < 0 ? null : revision)}", place)
            : Error("LB0051", $"the model {name} is neither a directory nor in a Hugging Face cache (searched: {(cacheRoots.Count == 0 ? "no cache" : string.Join(", ", cacheRoots))}). {Mend(id, at < 0 ? null : revision)}", place);
    }

    /// <summary>Cache layout: <c>refs/REVISION</c> holds a commit, <c>snapshots/COMMIT</c> its files.</summary>
    private static string? Snapshot(string repository, string revision)
    {
        string reference = Path.Combine(repository, "refs", revision);
        string commit = File.Exists(reference) ? File.ReadAllText(reference).Trim() : revision;
        if (!Commit().IsMatch(commit))
            return null;
        string snapshot = Path.Combine(repository, "snapshots", commit);
        return Directory.Exists(snapshot) ? snapshot : null;
    }

    private static string Mend(string id, string? revision) =>
        $"Fetch it with: hf download {id}{(revision is null ? "" : $" --revision {revision}")} (older: huggingface-cli download …). Or give a directory: -p:BaseModel=DIR in a build, --set base.model=DIR on the command line.";

    private static DiagnosticException Error(string code, string message, RecipePlace place) =>
        new(code, message, place.File, place.Line, place.Column);

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)?(?<![.-])\z", RegexOptions.CultureInvariant)]
    private static partial Regex HubId();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Revision();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Commit();
}
