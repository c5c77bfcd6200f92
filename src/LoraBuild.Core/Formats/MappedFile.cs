// A file mapped read-only into memory; pages come from the disk when they are touched.
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Formats;

/// <summary>Read-only view of a whole file, of any size. Reading past the end throws; the bytes are valid until <see cref="Dispose"/>.</summary>
public sealed unsafe partial class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? file;
    private readonly MemoryMappedViewAccessor? view;
    private byte* start;

    private MappedFile(string path, long length, MemoryMappedFile? file, MemoryMappedViewAccessor? view, byte* start)
    {
        Path = path;
        Length = length;
        this.file = file;
        this.view = view;
        this.start = start;
    }

    public string Path { get; }

    public long Length { get; }

    /// <exception cref="DiagnosticException">LB0400: the file is missing or cannot be read.</exception>
    public static MappedFile Open(string path)
    {
        string fullPath = System.IO.Path.GetFullPath(path);
        try
        {
            long length = LinkedFile.Length(fullPath) ?? throw new FileNotFoundException($"Could not find file '{fullPath}'.");
            if (length == 0) // an empty file cannot be mapped
                return new MappedFile(fullPath, 0, null, null, null);
            MemoryMappedFile file = MemoryMappedFile.CreateFromFile(fullPath, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            try
            {
                MemoryMappedViewAccessor view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
                byte* pointer = null;
                view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
                return new MappedFile(fullPath, length, file, view, pointer + view.PointerOffset);
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException("LB0400", $"the file cannot be read: {e.Message}", fullPath);
        }
    }

    /// <summary>The bytes [offset, offset + length).</summary>
    public ReadOnlySpan<byte> Span(long offset, int length)
    {
        CheckRange(offset, length);
        return new ReadOnlySpan<byte>(start + offset, length);
    }

    /// <summary>Address of a byte, for native code; at least <paramref name="length"/> bytes follow it.</summary>
    public nint Pointer(long offset, long length)
    {
        CheckRange(offset, length);
        return (nint)(start + offset);
    }

    /// <summary>Lets the system take back the pages of [offset, offset + length), which were read and are not needed soon; reading them again still works. Keeps streaming a large model from filling the memory.</summary>
    public void Forget(long offset, long length)
    {
        CheckRange(offset, length);
        if (!OperatingSystem.IsLinux() || length == 0)
            return;
        const int DontNeed = 4; // MADV_DONTNEED: for a read-only file mapping the content stays in the file
        long page = Environment.SystemPageSize;
        long first = ((long)start + offset + page - 1) / page * page;
        long end = ((long)start + offset + length) / page * page;
        if (end > first)
            _ = MemoryAdvise((nint)first, (nuint)(end - first), DontNeed); // advice: that it is not taken does no harm
    }

    /// <summary>Writes the bytes [offset, offset + length) to a stream, piece by piece, and forgets their pages.</summary>
    public void CopyTo(Stream destination, long offset, long length)
    {
        CheckRange(offset, length);
        const int Piece = 1 << 22;
        for (long done = 0; done < length; done += Piece)
        {
            int count = (int)Math.Min(Piece, length - done);
            destination.Write(Span(offset + done, count));
            Forget(offset + done, count);
        }
    }

    public void Dispose()
    {
        if (start != null)
        {
            start = null;
            view!.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            file!.Dispose();
        }
    }

    private void CheckRange(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(start == null && Length > 0, this);
        if (offset < 0 || length < 0 || offset > Length - length)
            throw new ArgumentOutOfRangeException(nameof(offset), $"bytes {offset}+{length} of a file of {Length}");
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(nint address, nuint length, int advice);
}
