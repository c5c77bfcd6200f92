// One process at a time writes a blob: the lock file that huggingface_hub takes, too.
namespace LoraBuild.Core.Hub;

/// <summary>An exclusive open file, on Unix a flock as in Python's filelock; the system lets go of it when the process ends, however it ends.</summary>
internal sealed class BlobLock : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly FileStream file;

    private BlobLock(FileStream file) => this.file = file;

    /// <param name="waiting">Called once where another process holds the lock.</param>
    public static async Task<BlobLock> TakeAsync(string path, Action waiting, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        for (bool isToldOf = false; ; isToldOf = true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                return new BlobLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException) when (File.Exists(path))
            {
                if (!isToldOf)
                    waiting();
                await Task.Delay(Pause, cancellation).ConfigureAwait(false);
            }
        }
    }

    public void Dispose() => file.Dispose();
}
