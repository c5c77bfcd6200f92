// Additive causal masks, made once for each shape.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

/// <summary>0 where a query sees a key, −∞ elsewhere. The queries are the last of the keys; every query sees itself, so no row is empty.</summary>
public sealed class AttentionMasks : IDisposable
{
    // A batch of ragged documents needs a mask for each length; more than this are forgotten together.
    private const int Capacity = 64;
    private readonly Dictionary<(int Queries, int Keys, int? Window), Tensor> masks = [];

    /// <returns>[queries, keys] fp32, owned by this object; null where every query sees every key.</returns>
    public Tensor? Get(int queries, int keys, int? window, Device device)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keys, queries);
        int? effective = window < keys ? window : null;
        if (queries == 1 && effective is null)
            return null;
        if (masks.TryGetValue((queries, keys, effective), out Tensor? mask))
            return mask;
        if (masks.Count == Capacity)
            Dispose();
        mask = Build(queries, keys, effective, device).DetachFromDisposeScope();
        masks.Add((queries, keys, effective), mask);
        return mask;
    }

    public void Dispose()
    {
        foreach (Tensor mask in masks.Values)
            mask.Dispose();
        masks.Clear();
    }

    private static Tensor Build(int queries, int keys, int? window, Device device)
    {
        float[] values = new float[(long)queries * keys];
        int past = keys - queries;
        for (int i = 0; i < queries; i++)
        {
            Span<float> row = values.AsSpan(i * keys, keys);
            row[(past + i + 1)..].Fill(float.NegativeInfinity);
            if (window is int size && past + i - size + 1 > 0)
                row[..(past + i - size + 1)].Fill(float.NegativeInfinity);
        }

        return tensor(values, [queries, keys], device: device);
    }
}
