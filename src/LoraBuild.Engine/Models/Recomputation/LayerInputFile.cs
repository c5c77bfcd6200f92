// The inputs of layers in a scratch file while a pass is under way.
using Microsoft.Win32.SafeHandles;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Recomputation;

/// <summary>
/// A file that lives as long as this object. It is read and written at places, not mapped: on a full disk a write fails with an
/// error, while a page of a mapping that cannot be stored ends the process.
/// </summary>
internal sealed class LayerInputFile : IDisposable
{
    // A span of bytes ends at 2 GB.
    private const long PieceElements = 1 << 24;

    private readonly SafeFileHandle file;

    /// <param name="path">What a killed run left there is replaced.</param>
    public LayerInputFile(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        file = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite, FileShare.Read, FileOptions.DeleteOnClose);
    }

    /// <summary>Bytes of the file now; it is as long as the longest pass so far.</summary>
    public long Length => RandomAccess.GetLength(file);

    /// <param name="value">Of any device; contiguous.</param>
    public void Write(long offset, Tensor value)
    {
        using IDisposable noGrad = no_grad();
        ForPieces(value, offset, (piece, place) =>
        {
            using Tensor atHand = piece.cpu();
            RandomAccess.Write(file, atHand.bytes, place);
        });
    }

    public void Read(long offset, Tensor target)
    {
        using IDisposable noGrad = no_grad();
        ForPieces(target, offset, (piece, place) =>
        {
            using Tensor values = empty(piece.shape, dtype: piece.dtype);
            Span<byte> rest = values.bytes;
            while (rest.Length > 0)
            {
                int read = RandomAccess.Read(file, rest, place);
                if (read == 0)
                    throw new EndOfStreamException("the scratch file of layer inputs ends too early; something else has written to it");
                rest = rest[read..];
                place += read;
            }

            piece.copy_(values);
        });
    }

    public void Dispose() => file.Dispose();

    private static void ForPieces(Tensor value, long offset, Action<Tensor, long> action)
    {
        using Tensor detached = value.detach();
        using Tensor flat = detached.view(-1);
        long width = flat.element_size();
        for (long start = 0; start < flat.NumberOfElements; start += PieceElements)
        {
            using Tensor piece = flat.narrow(0, start, Math.Min(PieceElements, flat.NumberOfElements - start));
            action(piece, offset + (start * width));
        }
    }
}

