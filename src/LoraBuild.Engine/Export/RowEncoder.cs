// Streams one stored tensor into a GGUF file: rows permuted, widened, encoded; parallel over rows, with bounded memory.
using System.Buffers;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Export;

/// <param name="offset">Added to every value, in fp32.</param>
/// <param name="permutedHeads">Rows are interleaved in so many heads: row 2i + j of a head is row j·d/2 + i of the source; null: as they are.</param>
internal sealed class RowEncoder(SafetensorsFile file, TensorEntry entry, GgmlType type, int? permutedHeads, float offset)
{
    /// <summary>Bytes of output in flight.</summary>
    private const int ChunkBytes = 1 << 23;

    /// <summary>Elements that one thread takes at a time.</summary>
    private const int TaskElements = 1 << 16;

    private readonly bool isBlock = GgmlTypes.Block(type)!.Value.Elements > 1;

    private bool IsCopy => offset == 0 && Factor == 1 && ((type, entry.Dtype) is (GgmlType.F32, TensorDtype.F32) or (GgmlType.F16, TensorDtype.F16) or (GgmlType.BF16, TensorDtype.BF16));

    /// <summary>Every value is multiplied by it, in fp32.</summary>
    public float Factor { get; init; } = 1;

    /// <summary>Rows encoded at once; null: as many as there are cores. The bytes are the same for any number.</summary>
    public int? Threads { get; init; }

    /// <summary>One chunk is encoded while the one before it is written.</summary>
    /// <exception cref="DiagnosticException">LB0705: a value that is not finite, for a type with blocks.</exception>
    public void Write(Stream stream)
    {
        int columns = entry.Shape.Length > 1 || permutedHeads is null ? (int)entry.Shape[^1] : 1; // a permuted bias is a column
        long rows = entry.ElementCount / columns;
        // A vector is one row for its type's sake, but a permuted one moves element by element.
        int rowBytes = (int)GgmlTypes.RowBytes(type, columns);
        int chunkRows = (int)Math.Clamp(ChunkBytes / rowBytes, 1, rows);
        byte[] encoded = ArrayPool<byte>.Shared.Rent(checked(chunkRows * rowBytes)), written = ArrayPool<byte>.Shared.Rent(chunkRows * rowBytes);
        Task writing = Task.CompletedTask;
        try
        {
            for (long first = 0; first < rows; first += chunkRows)
            {
                int count = (int)Math.Min(chunkRows, rows - first);
                Encode(first, count, rows, columns, encoded);
                writing.GetAwaiter().GetResult();
                (encoded, written) = (written, encoded);
                byte[] chunk = written;
                writing = Task.Run(() => stream.Write(chunk, 0, count * rowBytes));
                if (permutedHeads is null) // permuted rows of a head lie apart: their pages are needed again
                    file.Forget(entry, first * columns * entry.Dtype.ByteSize(), (long)count * columns * entry.Dtype.ByteSize());
            }

            writing.GetAwaiter().GetResult();
        }
        finally
        {
            Task.WaitAny(writing); // nothing uses a buffer that goes back; what failed is thrown above
            ArrayPool<byte>.Shared.Return(encoded);
            ArrayPool<byte>.Shared.Return(written);
        }

        file.Forget(entry, 0, entry.ByteLength);
    }

    private void Encode(long first, int count, long rows, int columns, byte[] encoded)
    {
        int rowBytes = (int)GgmlTypes.RowBytes(type, columns);
        int rowsOfTask = Math.Clamp(TaskElements / columns, 1, count);
        bool isFinite = true;
        BoundedParallel.For((count + rowsOfTask - 1) / rowsOfTask, Threads, task =>
        {
            float[] values = ArrayPool<float>.Shared.Rent(columns);
            for (int row = task * rowsOfTask; row < Math.Min(count, (task + 1) * rowsOfTask); row++)
            {
                if (!EncodeRow(SourceRow(first + row, rows), values.AsSpan(0, columns), encoded.AsSpan(row * rowBytes, rowBytes)))
                    Volatile.Write(ref isFinite, false);
            }

            ArrayPool<float>.Shared.Return(values);
        });
        if (!isFinite)
            throw new DiagnosticException("LB0705", $"{entry.Name} holds values that are infinite or not a number, for which {type} has no code; the training or the merge that made them went wrong", file.Path);
    }

    /// <returns>False: a value has no code.</returns>
    private bool EncodeRow(long sourceRow, Span<float> values, Span<byte> destination)
    {
        int bytes = values.Length * entry.Dtype.ByteSize();
        ReadOnlySpan<byte> source = file.GetBytes(entry, sourceRow * bytes, bytes);
        if (IsCopy)
        {
            source.CopyTo(destination);
            return true;
        }

        FloatConversion.ToFloat32(entry.Dtype, source, values);
        if (offset != 0)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] += offset;
        }

        if (Factor != 1)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] *= Factor;
        }

        if (isBlock && !FloatConversion.AreFinite(values))
            return false;
        GgmlBlocks.Encode(type, values, destination);
        return true;
    }

    private long SourceRow(long row, long rows)
    {
        if (permutedHeads is not int heads)
            return row;
        long headRows = rows / heads;
        (long head, long inHead) = Math.DivRem(row, headRows);
        (long pair, long half) = Math.DivRem(inHead, 2);
        return (head * headRows) + (half * headRows / 2) + pair;
    }
}
