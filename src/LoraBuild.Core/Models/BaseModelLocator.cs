// Finds the directory behind a model's name: a local directory, else a snapshot in the Hugging Face cache. No network.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Hub;
using LoraBuild.Core.IO;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Models;

/// <summary>Resolves <c>base.model</c>. Nothing is read from the environment: the caller says where caches are.</summary>
public static class BaseModelLocator
{
    private const int NamesInMessage = 3;

    private static readonly string[] ConfigFile = ["config.json"];

    /// <param name="modelOrId">A directory, or a hub id <c>org/name[@revision]</c>; the revision is a branch, tag or commit, by default <c>main</c>.</param>
    /// <param name="cacheRoots">Hugging Face caches in the order of search: what <c>HF_HUB_CACHE</c> names, or what <c>HF_HOME</c> names (its <c>hub</c> folder is looked into too).</param>
    /// <param name="place">Where the recipe names the model, for the diagnostic.</param>
    /// <exception cref="DiagnosticException">LB0051 nowhere, LB0052 the directory is no model, LB0053 not a model's name, LB0054 the cache holds another revision, LB0055 the cached download lacks files.</exception>
    public static LocatedModel Locate(string modelOrId, IReadOnlyList<string> cacheRoots, RecipePlace? place = null, ModelContent content = ModelContent.Weights)
    {
        place ??= RecipePlace.None;
        if (modelOrId.Length == 0 || modelOrId.Contains('\0', StringComparison.Ordinal))
            throw Error("LB0053", "the model's name is empty; write a directory or org/name.", place);
        if (Directory.Exists(modelOrId))
            return InDirectory(Path.TrimEndingDirectorySeparator(Path.GetFullPath(modelOrId)), FilesOf(content), place);
        if (HubName.IsPath(modelOrId))
            throw Error("LB0052", $"the model's directory {modelOrId} does not exist. Name another one, or a hub id (org/name), which can be fetched with: lorabuild fetch org/name. {OtherModel}", place);
        return InCache(HubName.Parse(modelOrId, place), cacheRoots, content, place);
    }

    /// <summary>The files of which one tells a directory with this content from any other; the usual one first.</summary>
    private static IReadOnlyList<string> FilesOf(ModelContent content) => content == ModelContent.Tokenizer ? Tokenizer.FileNames : ConfigFile;

    private static LocatedModel InDirectory(string directory, IReadOnlyList<string> files, RecipePlace place)
    {
        if (IsModel(directory))
            return HubCache.IdentityOf(directory) is { } known ? new LocatedModel(directory, known.Id, null, known.Commit) : new LocatedModel(directory);
        string beneath = Directory.EnumerateDirectories(directory)
            .Where(IsModel)
            .Select(d => Path.GetFileName(d))
            .Order(StringComparer.Ordinal)
            .FirstOrDefault() is { } inner ? $" Did you mean {Path.Combine(directory, inner)}?" : "";
        throw Error("LB0052", $"{directory} holds no {files[0]}, so it is not a model in Hugging Face's form.{beneath}", place);

        bool IsModel(string candidate) => files.Any(file => LinkedFile.Length(Path.Combine(candidate, file)) is not null);
    }

    private static LocatedModel InCache(HubName name, IReadOnlyList<string> cacheRoots, ModelContent content, RecipePlace place)
    {
        IReadOnlyList<string> repositories = HubCache.Repositories(cacheRoots, name.Id);
        (HubSnapshot Snapshot, IReadOnlyList<string> Missing)? unfinished = null;
        foreach (string repository in repositories)
        {
            if (HubCache.Find(repository, name.RevisionOrMain) is not { } snapshot)
                continue;
            IReadOnlyList<string> missing = MissingFiles(snapshot.Directory, content);
            if (missing.Count == 0)
                return new LocatedModel(snapshot.Directory, name.Id, name.RevisionOrMain, snapshot.Commit);
            unfinished ??= (snapshot, missing);
        }

        if (unfinished is { } found)
            throw Error("LB0055", $"the cache holds {name}, but not all of it: {Names(found.Missing)} missing in {found.Snapshot.Directory}. {Mend(name)}", place);
        throw repositories.Count > 0
            ? Error("LB0054", $"the cache holds {name.Id}, but not revision {name.RevisionOrMain} (searched: {string.Join(", ", repositories)}). {Mend(name)}", place)
            : Error("LB0051", $"the model {name} is neither a directory nor in a Hugging Face cache (searched: {(cacheRoots.Count == 0 ? "no cache" : string.Join(", ", cacheRoots))}). {Mend(name)}", place);
    }

    /// <summary>A link of an interrupted download leads to a blob that is not there: that file is missing, too.</summary>
    private static IReadOnlyList<string> MissingFiles(string directory, ModelContent content)
    {
        if (!FilesOf(content).Any(Has))
            return [FilesOf(content)[0]];
        if (content != ModelContent.Weights || Has(ModelFiles.SingleFileName))
            return [];
        return Has(ModelFiles.IndexFileName)
            ? [.. ModelFiles.ShardNames(Path.Combine(directory, ModelFiles.IndexFileName)).Where(shard => !Has(shard))]
            : [ModelFiles.SingleFileName];

        bool Has(string file) => LinkedFile.Length(Path.Combine(directory, file)) is not null;
    }

    private static string Names(IReadOnlyList<string> files)
    {
        string shown = string.Join(", ", files.Take(NamesInMessage));
        return files.Count > NamesInMessage ? $"{shown} and {files.Count - NamesInMessage} more are" : files.Count == 1 ? $"{shown} is" : $"{shown} are";
    }

    private const string OtherModel = "Another model: -p:BaseModel=… in a build, --set base.model=… on the command line.";

    private static string Mend(HubName name) =>
        $"Fetch it with: lorabuild fetch {name} (a build does so itself with -p:FetchModels=true). Or give a directory: -p:BaseModel=DIR in a build, --set base.model=DIR on the command line.";

    private static DiagnosticException Error(string code, string message, RecipePlace place) =>
        new(code, message, place.File, place.Line, place.Column);
}
