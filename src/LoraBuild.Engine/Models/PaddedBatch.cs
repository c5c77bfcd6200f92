// Padded rows with a mask: packed on the way in, scattered back on the way out.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Turns [batch, seq] with an attention mask into a <see cref="PackedBatch"/>, and results back.</summary>
public sealed class PaddedBatch : IDisposable
{
    private readonly Tensor rows; // int64 [P]: where in batch · seq each packed token stands

    private PaddedBatch(PackedBatch packed, Tensor rows, int batch, int sequence)
    {
        Packed = packed;
        this.rows = rows;
        Batch = batch;
        Sequence = sequence;
    }

    public PackedBatch Packed { get; }

    public int Batch { get; }

    public int Sequence { get; }

    /// <param name="inputIds">[batch · seq], row after row.</param>
    /// <param name="attentionMask">[batch · seq], 0 = padding on either side; null: no padding.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="positionIds">[batch · seq]; null: from 0 at the first token of each row.</param>
    /// <exception cref="ArgumentException">Sizes do not fit, or there is no token at all.</exception>
    public static PaddedBatch Pack(long[] inputIds, long[]? attentionMask, int batch, long[]? positionIds = null, Device? device = null)
    {
        if (batch < 1 || inputIds.Length % batch != 0 || (attentionMask ?? inputIds).Length != inputIds.Length || (positionIds ?? inputIds).Length != inputIds.Length)
            throw new ArgumentException($"{inputIds.Length} ids, {attentionMask?.Length} mask entries, {positionIds?.Length} positions and {batch} rows do not fit together");
        int sequence = inputIds.Length / batch;
        List<long> ids = [];
        List<long> positions = [];
        List<long> places = [];
        List<int> starts = [0];
        for (int row = 0; row < batch; row++)
        {
            for (int column = 0; column < sequence; column++)
            {
                int place = (row * sequence) + column;
                if (attentionMask is not null && attentionMask[place] == 0)
                    continue;
                positions.Add(positionIds?[place] ?? ids.Count - starts[^1]);
                ids.Add(inputIds[place]);
                places.Add(place);
            }

            if (ids.Count > starts[^1])
                starts.Add(ids.Count);
        }

        Device target = device ?? CPU;
        return new PaddedBatch(
            PackedBatch.Create([.. ids], [.. positions], [.. starts], target), tensor([.. places], device: target), batch, sequence);
    }

    /// <summary>Puts rows back where they came from; padding becomes 0.</summary>
    /// <param name="packedValues">[P, width].</param>
    /// <returns>[batch, seq, width].</returns>
    public Tensor Scatter(Tensor packedValues)
    {
        long width = packedValues.shape[1];
        Tensor padded = zeros([(long)Batch * Sequence, width], dtype: packedValues.dtype, device: packedValues.device);
        padded.index_copy_(0, rows, packedValues);
        Tensor shaped = padded.view(Batch, Sequence, width);
        padded.Dispose();
        return shaped;
    }

    public void Dispose()
    {
        Packed.Dispose();
        rows.Dispose();
    }
}
