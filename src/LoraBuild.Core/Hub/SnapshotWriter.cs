// Gives blobs their names in a snapshot: relative links as huggingface_hub makes them, copies where there are no links.
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Hub;

internal sealed class SnapshotWriter
{
    private readonly HubOptions options;
    private readonly string repository;
    private readonly string snapshot;

    public SnapshotWriter(HubOptions options, string repository, string commit)
    {
        this.options = options;
        this.repository = repository;
        snapshot = HubCache.Snapshot(repository, commit);
        Directory.CreateDirectory(snapshot);
        HasLinks = TryLink();
    }

    /// <summary>False: every file takes its place twice.</summary>
    public bool HasLinks { get; }

    public string Folder => snapshot;

    public bool Has(HubFile file) => LinkedFile.Length(Path.Combine(snapshot, file.Name)) == file.Size;

    public void Place(HubFile file)
    {
        string path = Path.Combine(snapshot, file.Name);
        string folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);

        // The name was checked when it was read; a link in the place of a folder would still lead elsewhere.
        if (new DirectoryInfo(folder).LinkTarget is not null)
            throw new IOException($"{folder} is a link; remove it and fetch again.");
        string blob = HubCache.Blob(repository, file.Hash);
        if (!HasLinks)
        {
            AtomicFile.Write(path, stream =>
            {
                using FileStream source = File.OpenRead(blob);
                source.CopyTo(stream);
            });
            return;
        }

        string target = Path.GetRelativePath(folder, blob);
        if (new FileInfo(path).LinkTarget == target)
            return;
        string temporary = Path.Combine(folder, $".{Path.GetFileName(path)}.{Environment.ProcessId}.tmp");
        File.Delete(temporary);
        options.CreateLink(temporary, target);
        File.Move(temporary, path, overwrite: true);
    }

    private bool TryLink()
    {
        string probe = Path.Combine(snapshot, $".link.{Environment.ProcessId}.tmp");
        try
        {
            File.Delete(probe);
            options.CreateLink(probe, "..");
            File.Delete(probe);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            return false;
        }
    }
}
