// A file that is being written and does not have its name yet.
namespace LoraBuild.Core.IO;

/// <summary>Written under a temporary name in the same folder; <see cref="Commit"/> gives it its own. Without that it vanishes, and an older file stays as it was.</summary>
public sealed class PendingFile : IDisposable
{
    private readonly string path;
    private readonly string temporary;
    private readonly List<string> madeDirectories = [];
    private bool isCommitted;

    public PendingFile(string path)
    {
        this.path = Path.GetFullPath(path);
        string directory = Path.GetDirectoryName(this.path)!;
        for (string? made = directory; made is not null && !Directory.Exists(made); made = Path.GetDirectoryName(made))
            madeDirectories.Add(made);
        Directory.CreateDirectory(directory);
        temporary = Path.Combine(directory, FormattableString.Invariant($".{Path.GetFileName(this.path)}.{Environment.ProcessId}.tmp"));
        Stream = new FileStream(temporary, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 20);
    }

    public FileStream Stream { get; }

    /// <summary>Flushes to the disk and renames over the older file.</summary>
    public void Commit()
    {
        Stream.Flush(flushToDisk: true);
        Stream.Dispose();
        File.Move(temporary, path, overwrite: true);
        isCommitted = true;
    }

    public void Dispose()
    {
        try
        {
            Stream.Dispose();
        }
        finally
        {
            // On a full disk closing fails too: what was written so far must not keep it full.
            if (!isCommitted)
                Remove();
        }
    }

    private void Remove()
    {
        File.Delete(temporary);
        foreach (string directory in madeDirectories.TakeWhile(d => !Directory.EnumerateFileSystemEntries(d).Any()))
            Directory.Delete(directory);
    }
}
