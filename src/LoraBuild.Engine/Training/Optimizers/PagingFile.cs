// A file that holds memory which need not be resident: mapped a window at a time, gone with its owner.
using System.Globalization;
using System.IO.MemoryMappedFiles;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>
/// Every byte has its place on the disk before the first one is used: a full disk is an error here, and not a signal in the middle of a step.
/// Begins as zeros. The file is removed by <see cref="Dispose"/>; of a process that was killed it stays until <see cref="DeleteStale"/>.
/// </summary>
internal sealed class PagingFile : IDisposable
{
    private const int ZeroBytes = 1 << 20;

    private readonly MemoryMappedFile file;

    private PagingFile(MemoryMappedFile file) => this.file = file;

    /// <exception cref="DiagnosticException">LB0640: the disk has no room for it, or the file cannot be written.</exception>
    public static PagingFile Create(string path, long bytes)
    {
        try
        {
            DeleteStale(path);
            string directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
            Directory.CreateDirectory(directory);
            long free = new DriveInfo(directory).AvailableFreeSpace;
            if (free < bytes)
                throw new IOException($"{Megabytes(free)} MB are free there");
            FileStream stream = new(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0, Options = FileOptions.DeleteOnClose });
            try
            {
                byte[] zeros = new byte[ZeroBytes];
                for (long done = 0; done < bytes; done += ZeroBytes)
                    stream.Write(zeros, 0, (int)Math.Min(ZeroBytes, bytes - done));
                return new PagingFile(MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: false));
            }
            catch
            {
                stream.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException(
                "LB0640",
                $"the optimizer's paged state needs a file of {Megabytes(bytes)} MB, and it cannot be made: {e.Message}. Make room on that disk, raise train.optim_state_budget to keep more in memory, or choose optim adamw_8bit.",
                path);
        }
    }

    public static void DeleteStale(string path)
    {
        if (File.Exists(path))
            File.Delete(path);
    }

    /// <summary>The bytes [offset, offset + length) in memory until the window is disposed; the system writes back what it needs to, when it needs to.</summary>
    public Window Map(long offset, long length) => new(file.CreateViewAccessor(offset, length, MemoryMappedFileAccess.ReadWrite));

    public void Dispose() => file.Dispose();

    private static string Megabytes(long bytes) => (bytes / 1e6).ToString("F1", CultureInfo.InvariantCulture);

    internal sealed unsafe class Window : IDisposable
    {
        private readonly MemoryMappedViewAccessor view;

        public Window(MemoryMappedViewAccessor view)
        {
            this.view = view;
            byte* pointer = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            Start = (nint)(pointer + view.PointerOffset);
        }

        public nint Start { get; }

        public void Dispose()
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.SafeMemoryMappedViewHandle.Dispose(); // first: the accessor's own Dispose would wait until the disk has everything
            view.Dispose();
        }
    }
}
