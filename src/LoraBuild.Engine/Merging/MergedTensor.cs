// One tensor of a merged model: where its values come from, and how they are streamed into the file.
using System.Buffers;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;

namespace LoraBuild.Engine.Merging;

/// <param name="Name">In the merged model.</param>
/// <param name="Dtype">In the merged model.</param>
/// <param name="Source">Holds the values before the update.</param>
/// <param name="Pair">The low-rank pair to add; null: the values are only converted.</param>
/// <param name="Rows">Single rows to put in place of the source's; null: none.</param>
/// <param name="Threads">That add the update; null: all cores.</param>
/// <param name="IsReplaced">The values come from the adapter or the fine-tuned weights, not from the base.</param>
internal sealed record MergedTensor(string Name, TensorDtype Dtype, SafetensorsFile Source, TensorEntry Entry, LoraPair? Pair = null, float Scaling = 0, SafetensorsFile? Adapter = null, bool IsReplaced = false, TrainedRows? Rows = null, int? Threads = null)
{
    /// <summary>fp32 elements in flight; bounds the memory whatever the tensor's size.</summary>
    private const int ChunkElements = 1 << 21;

    /// <summary>Makes the codes whose decoded values stand in place of the source's; null: the source's count.</summary>
    public Func<PackedArrays>? Compressed { get; init; }

    public long ByteLength => Entry.ElementCount * Dtype.ByteSize();

    public TensorToWrite ToWrite() => new(Name, Dtype, Entry.Shape, Write);

    private void Write(Stream stream)
    {
        if (Pair is null && Rows is null && Compressed is null && Dtype == Entry.Dtype)
        {
            Source.CopyTo(Entry.Name, stream);
            return;
        }

        int columns = Pair is null && Rows is null ? 1 : (int)Entry.Shape[^1];
        LowRankUpdate? update = Pair is null ? null : Update(columns);
        PackedArrays? packed = Compressed?.Invoke();
        float[]? rows = Rows is null ? null : Adapter!.ReadFloat32(Rows.Rows.Name);
        int chunk = Math.Max(columns, ChunkElements / columns * columns);
        float[] values = ArrayPool<float>.Shared.Rent(chunk);
        byte[] stored = ArrayPool<byte>.Shared.Rent(chunk * Dtype.ByteSize());
        for (long done = 0; done < Entry.ElementCount; done += chunk)
        {
            int count = (int)Math.Min(chunk, Entry.ElementCount - done);
            Read(packed, done, values.AsSpan(0, count));
            update?.Apply(values.AsMemory(0, count), (int)(done / columns));
            if (rows is not null)
                Overwrite(values.AsSpan(0, count), done / columns, rows, columns);
            FloatConversion.FromFloat32(Dtype, values.AsSpan(0, count), stored);
            stream.Write(stored, 0, count * Dtype.ByteSize());
        }

        ArrayPool<float>.Shared.Return(values);
        ArrayPool<byte>.Shared.Return(stored);
    }

    private void Read(PackedArrays? packed, long first, Span<float> values)
    {
        if (packed is not null)
        {
            packed.Decode(first, values);
            return;
        }

        int size = Entry.Dtype.ByteSize();
        FloatConversion.ToFloat32(Entry.Dtype, Source.GetBytes(Entry, first * size, values.Length * size), values);
        Source.Forget(Entry, first * size, values.Length * size);
    }

    private void Overwrite(Span<float> values, long firstRow, float[] rows, int columns)
    {
        for (int i = 0; i < Rows!.Ids.Count; i++)
        {
            long row = Rows.Ids[i] - firstRow;
            if (row >= 0 && row < values.Length / columns)
                rows.AsSpan(i * columns, columns).CopyTo(values.Slice((int)row * columns, columns));
        }
    }

    private LowRankUpdate Update(int columns)
    {
        float[] a = Adapter!.ReadFloat32(Pair!.A.Name), b = Adapter.ReadFloat32(Pair.B.Name);
        // An embedding's weight is the other way round: W + s·(BA)ᵀ = W + s·AᵀBᵀ.
        return Pair.IsEmbedding
            ? new LowRankUpdate(Transposed(b, Pair.R), Transposed(a, a.Length / Pair.R), null, Pair.R, columns, Scaling, Threads)
            : new LowRankUpdate(a, b, Pair.Magnitude is null ? null : Adapter.ReadFloat32(Pair.Magnitude.Name), Pair.R, columns, Scaling, Threads);
    }

    /// <param name="values">[rows, columns], row-major.</param>
    private static float[] Transposed(float[] values, int columns)
    {
        int rows = values.Length / columns;
        float[] transposed = new float[values.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
                transposed[(column * rows) + row] = values[(row * columns) + column];
        }

        return transposed;
    }
}
