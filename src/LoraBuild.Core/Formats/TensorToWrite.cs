// A tensor on its way into a file: its place in the header, and how its bytes are produced when their turn comes.
using System.Runtime.InteropServices;

namespace LoraBuild.Core.Formats;

/// <summary>One tensor to write.</summary>
/// <param name="Shape">Row-major.</param>
/// <param name="WriteBytes">Writes exactly the tensor's little-endian bytes; called once, in file order.</param>
public sealed record TensorToWrite(string Name, TensorDtype Dtype, long[] Shape, Action<Stream> WriteBytes)
{
    public long ByteLength => checked((TensorShapes.TryCount(Shape) ?? throw new ArgumentException($"shape {TensorShapes.Text(Shape)} of {Name}")) * Dtype.ByteSize());

    public static TensorToWrite FromFloat32(string name, long[] shape, ReadOnlyMemory<float> values) => FromValues(name, TensorDtype.F32, shape, values);

    public static TensorToWrite FromInt32(string name, long[] shape, ReadOnlyMemory<int> values) => FromValues(name, TensorDtype.I32, shape, values);

    public static TensorToWrite FromInt64(string name, long[] shape, ReadOnlyMemory<long> values) => FromValues(name, TensorDtype.I64, shape, values);

    /// <summary>Values already in their stored form.</summary>
    public static TensorToWrite FromBytes(string name, TensorDtype dtype, long[] shape, ReadOnlyMemory<byte> bytes) => FromValues(name, dtype, shape, bytes);

    /// <summary>A tensor of another file, as it is; the file must stay open until this is written.</summary>
    public static TensorToWrite CopyOf(SafetensorsFile file, string name, string? newName = null)
    {
        TensorEntry entry = file.Entry(name);
        return new TensorToWrite(newName ?? name, entry.Dtype, entry.Shape, stream => file.CopyTo(name, stream));
    }

    private static TensorToWrite FromValues<T>(string name, TensorDtype dtype, long[] shape, ReadOnlyMemory<T> values)
        where T : unmanaged =>
        new(name, dtype, shape, stream => WriteValues(stream, values.Span));

    private static void WriteValues<T>(Stream stream, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        const int Piece = 1 << 20; // elements; a span of bytes ends at 2 GB
        for (int done = 0; done < values.Length; done += Piece)
            stream.Write(MemoryMarshal.AsBytes(values.Slice(done, Math.Min(Piece, values.Length - done))));
    }
}
