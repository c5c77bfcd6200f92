// Additive causal masks: one square for each window, of which every shape is a corner.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

/// <summary>0 where a query sees a key, −∞ elsewhere. The queries are the last of the keys; every query sees itself, so no row is empty.</summary>
public sealed class AttentionMasks : IDisposable
{
    // Sizes are multiples of this, so that documents that come in order of length do not make a new square each.
    private const int SizeStep = 64;

    // Whether query i sees key j depends on i − j alone, so documents of all lengths share the square of the longest.
    private readonly Dictionary<(int Window, string Device), Tensor> squares = []; // [size, size] fp32

    /// <returns>[queries, keys] fp32, a view that the caller disposes; null where every query sees every key.</returns>
    public Tensor? Get(int queries, int keys, int? window, Device device)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keys, queries);
        int effective = window is int size && size < keys ? size : int.MaxValue;
        if (queries == 1 && effective == int.MaxValue)
            return null;
        (int, string) place = (effective, device.ToString());
        if (!squares.TryGetValue(place, out Tensor? square) || square.shape[0] < keys)
        {
            square?.Dispose();
            squares[place] = square = Build((keys + SizeStep - 1) / SizeStep * SizeStep, effective, device).DetachFromDisposeScope();
        }

        using Tensor rows = square.narrow(0, keys - queries, queries);
        return rows.narrow(1, 0, keys);
    }

    public void Dispose()
    {
        foreach (Tensor square in squares.Values)
            square.Dispose();
        squares.Clear();
    }

    private static Tensor Build(int size, int window, Device device)
    {
        float[] values = new float[(long)size * size];
        for (int i = 0; i < size; i++)
        {
            Span<float> row = values.AsSpan(i * size, size);
            row[(i + 1)..].Fill(float.NegativeInfinity);
            if (i >= window)
                row[..(i - window + 1)].Fill(float.NegativeInfinity);
        }

        return tensor(values, [size, size], device: device);
    }
}
