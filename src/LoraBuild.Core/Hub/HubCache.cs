// The folder layout of the Hugging Face cache, which this program shares with huggingface_hub: refs/, blobs/, snapshots/.
using System.Text.RegularExpressions;

namespace LoraBuild.Core.Hub;

/// <param name="Directory"><c>…/models--org--name/snapshots/COMMIT</c>.</param>
public sealed record HubSnapshot(string Directory, string Commit);

/// <summary>
/// <c>CACHE/models--org--name/</c> holds <c>refs/REVISION</c> (a commit), <c>blobs/HASH</c> (contents) and <c>snapshots/COMMIT/FILE</c> (links to blobs).
/// <c>CACHE/.locks/models--org--name/HASH.lock</c> is held while a blob is written.
/// </summary>
public static partial class HubCache
{
    private const string FolderPrefix = "models--";
    private const string Separator = "--";

    public static string FolderName(string id) => FolderPrefix + id.Replace("/", Separator, StringComparison.Ordinal);

    public static string Reference(string repository, string revision) => Path.Combine(repository, "refs", revision);

    public static string Snapshot(string repository, string commit) => Path.Combine(repository, "snapshots", commit);

    public static string Blob(string repository, string hash) => Path.Combine(repository, "blobs", hash);

    public static string Lock(string cacheDirectory, string id, string hash) => Path.Combine(cacheDirectory, ".locks", FolderName(id), hash + ".lock");

    /// <summary>The folders of a model that exist. A root is a cache itself, or what HF_HOME names, whose cache is the folder <c>hub</c>.</summary>
    public static IReadOnlyList<string> Repositories(IReadOnlyList<string> cacheRoots, string id) =>
        [.. cacheRoots
            .SelectMany(root => new[] { Path.Combine(root, FolderName(id)), Path.Combine(root, "hub", FolderName(id)) })
            .Select(Path.GetFullPath)
            .Distinct(StringComparer.Ordinal)
            .Where(Directory.Exists)];

    /// <param name="revision">A branch or tag that was fetched under this name, a commit, or the first seven or more digits of one.</param>
    /// <returns>Null where the cache does not hold it.</returns>
    public static HubSnapshot? Find(string repository, string revision)
    {
        string reference = Reference(repository, revision);
        string commit = File.Exists(reference) ? File.ReadAllText(reference).Trim() : revision;
        if (!CommitForm().IsMatch(commit))
            return null;
        if (!Directory.Exists(Snapshot(repository, commit)) && ShortCommitForm().IsMatch(commit))
            commit = Abbreviated(repository, commit) ?? commit;
        string snapshot = Snapshot(repository, commit);
        return Directory.Exists(snapshot) ? new HubSnapshot(snapshot, commit) : null;
    }

    /// <summary>Reads id and commit out of a snapshot's path: a recipe may name the directory itself.</summary>
    public static (string Id, string Commit)? IdentityOf(string directory)
    {
        string[] parts = directory.Split(Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar);
        if (parts.Length < 3 || parts[^2] != "snapshots" || !parts[^3].StartsWith(FolderPrefix, StringComparison.Ordinal) || !FullCommitForm().IsMatch(parts[^1]))
            return null;
        return (parts[^3][FolderPrefix.Length..].Replace(Separator, "/", StringComparison.Ordinal), parts[^1]);
    }

    /// <summary>Where a fetch leaves the license's name, which stands only in the model's card, and cards are not fetched. huggingface_hub does not look into this folder.</summary>
    public static string LicenseFile(string repository, string commit) => Path.Combine(repository, ".lorabuild", commit + ".license");

    /// <returns>Null for a directory that is no snapshot, or one that another program fetched.</returns>
    public static string? ReadLicense(string snapshotDirectory)
    {
        if (IdentityOf(snapshotDirectory) is not { } known)
            return null;
        string file = LicenseFile(Path.GetFullPath(Path.Combine(snapshotDirectory, "..", "..")), known.Commit);
        return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
    }

    public static bool IsFullCommit(string text) => FullCommitForm().IsMatch(text);

    private static string? Abbreviated(string repository, string start)
    {
        string snapshots = Path.Combine(repository, "snapshots");
        if (!Directory.Exists(snapshots))
            return null;
        List<string> matches = [.. Directory.EnumerateDirectories(snapshots).Select(d => Path.GetFileName(d)).Where(name => name.StartsWith(start, StringComparison.Ordinal)).Take(2)];
        return matches.Count == 1 ? matches[0] : null;
    }

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex CommitForm();

    [GeneratedRegex(@"^[0-9a-f]{7,39}\z", RegexOptions.CultureInvariant)]
    private static partial Regex ShortCommitForm();

    [GeneratedRegex(@"^[0-9a-f]{40}\z", RegexOptions.CultureInvariant)]
    private static partial Regex FullCommitForm();
}
