// Keys and values of the tokens of one sequence so far, so that each is computed once.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Generation;

/// <summary>Grows by doubling; holds 2 · layers · tokens · keyValueHeads · headDim values.</summary>
public sealed class KeyValueCache(int layerCount) : IDisposable
{
    private readonly Tensor?[] keys = new Tensor?[layerCount]; // each [capacity, keyValueHeads, headDim]
    private readonly Tensor?[] values = new Tensor?[layerCount];

    /// <summary>Tokens held: the next token's position.</summary>
    public int Length { get; private set; }

    public void Dispose()
    {
        for (int i = 0; i < keys.Length; i++)
        {
            keys[i]?.Dispose();
            values[i]?.Dispose();
        }
    }

    /// <summary>Adds one layer's new rows, each [new, keyValueHeads, headDim].</summary>
    /// <returns>All rows of the layer, the new ones last; views that are valid until the next call.</returns>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor newKeys, Tensor newValues)
    {
        int length = Length + (int)newKeys.shape[0];
        return (Write(ref keys[layer], newKeys, length), Write(ref values[layer], newValues, length));
    }

    internal void Advance(int tokens) => Length += tokens;

    private Tensor Write(ref Tensor? store, Tensor rows, int length)
    {
        if (store is null || store.shape[0] < length)
        {
            long capacity = Math.Max(64, (long)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length));
            Tensor grown = empty([capacity, rows.shape[1], rows.shape[2]], dtype: rows.dtype, device: rows.device).DetachFromDisposeScope();
            if (store is not null)
            {
                using Tensor from = store.narrow(0, 0, Length);
                using Tensor to = grown.narrow(0, 0, Length);
                to.copy_(from);
                store.Dispose();
            }

            store = grown;
        }

        using Tensor place = store.narrow(0, Length, rows.shape[0]);
        place.copy_(rows);
        return store.narrow(0, 0, length);
    }
}
