// One stage at a time in a pipeline's directory, also across processes.
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Stages;

/// <summary>An open file that nobody else can open; the system closes it when the process ends, however it ends.</summary>
public sealed class StageLock : IDisposable
{
    private readonly FileStream file;

    private StageLock(FileStream file) => this.file = file;

    /// <summary>Waits until no other build works on the pipeline.</summary>
    public static StageLock Take(StageLayout layout, IReporter reporter, CancellationToken cancellation)
    {
        Directory.CreateDirectory(layout.State);
        bool isToldOf = false;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                return new StageLock(new FileStream(layout.LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException) when (File.Exists(layout.LockFile))
            {
                if (!isToldOf)
                    reporter.Message($"another build works on {layout.Root}; waiting for it");
                isToldOf = true;
                cancellation.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(200));
            }
        }
    }

    public void Dispose() => file.Dispose();
}
