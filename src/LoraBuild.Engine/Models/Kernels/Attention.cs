// Causal attention inside each document: the fused kernel where it fits, libtorch's own on a device, else the same in TorchSharp calls, which is what the kernels have to equal.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

/// <summary>softmax(cap(scale · Q Kᵀ) + mask) V with grouped key/value heads. Scores and softmax in fp32.</summary>
public static class Attention
{
    /// <summary>Attention of a packed batch.</summary>
    /// <param name="query">[P, heads, headDim].</param>
    /// <param name="key">[P, keyValueHeads, headDim].</param>
    /// <param name="value">[P, keyValueHeads, headDim].</param>
    /// <param name="runs">Runs of documents of equal length that together cover P.</param>
    /// <param name="masks">Gives the additive masks.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="softcap">scores → cap · tanh(scores / cap) before the mask; null: none.</param>
    /// <param name="window">Query i sees keys j with i − window &lt; j ≤ i; null: all j ≤ i.</param>
    /// <returns>[P, heads · headDim].</returns>
    public static Tensor Packed(
        Tensor query, Tensor key, Tensor value, IReadOnlyList<DocumentRun> runs, AttentionMasks masks, double scale, double? softcap, int? window)
    {
#if NATIVE_KERNELS
        if (Fits(query))
        {
            long[] starts = Starts(runs);
            return FusedAttention.Packed(query, key, value, starts, starts, scale, softcap, window);
        }

        // None of libtorch's kernels for devices bends scores.
        if (query.device_type == TorchSharp.DeviceType.CUDA && softcap is null && DeviceKernels.HasAttention)
            return DeviceKernels.Attention(query, key, value, Starts(runs), scale, window ?? 0);
#endif
        return PackedReference(query, key, value, runs, masks, scale, softcap, window);
    }

    /// <summary>Documents of equal length that stand beside each other are one batched product, others a product each.</summary>
    internal static Tensor PackedReference(
        Tensor query, Tensor key, Tensor value, IReadOnlyList<DocumentRun> runs, AttentionMasks masks, double scale, double? softcap, int? window)
    {
        if (runs.Count == 1)
            return Run(query, key, value, runs[0].Documents, runs[0].Length, masks, scale, softcap, window);
        Tensor[] parts = new Tensor[runs.Count];
        try
        {
            for (int i = 0; i < runs.Count; i++)
            {
                DocumentRun run = runs[i];
                long rows = (long)run.Documents * run.Length;
                using Tensor q = query.narrow(0, run.Start, rows);
                using Tensor k = key.narrow(0, run.Start, rows);
                using Tensor v = value.narrow(0, run.Start, rows);
                parts[i] = Run(q, k, v, run.Documents, run.Length, masks, scale, softcap, window);
            }

            return cat(parts, 0);
        }
        finally
        {
            foreach (Tensor? part in parts)
                part?.Dispose();
        }
    }

    /// <summary>Attention of new tokens of one sequence over everything cached, themselves included.</summary>
    /// <param name="query">[new, heads, headDim].</param>
    /// <param name="key">[past + new, keyValueHeads, headDim].</param>
    /// <param name="value">[past + new, keyValueHeads, headDim].</param>
    /// <returns>[new, heads · headDim].</returns>
    public static Tensor Cached(Tensor query, Tensor key, Tensor value, AttentionMasks masks, double scale, double? softcap, int? window)
    {
        int newTokens = (int)query.shape[0];
        int keys = (int)key.shape[0];
        // A window hides old keys from every new query: leave them out instead of masking them.
        int first = window is int size ? Math.Max(0, keys - newTokens - size + 1) : 0;
        using Tensor k = key.narrow(0, first, keys - first);
        using Tensor v = value.narrow(0, first, keys - first);
#if NATIVE_KERNELS
        // One token alone is a product with a vector; the kernel would repack all keys for it.
        if (newTokens > 1 && Fits(query))
            return FusedAttention.Packed(query, k, v, [0, newTokens], [0, keys - first], scale, softcap, window);
#endif
        return Blocks(query, k, v, 1, newTokens, keys - first, masks, scale, softcap, window);
    }

#if NATIVE_KERNELS
    private static bool Fits(Tensor query) => FusedKernels.Fit(query) && query.shape[^1] <= FusedAttention.WidestHead;

    private static long[] Starts(IReadOnlyList<DocumentRun> runs)
    {
        List<long> starts = [0];
        foreach (DocumentRun run in runs)
        {
            for (int i = 0; i < run.Documents; i++)
                starts.Add(starts[^1] + run.Length);
        }

        return [.. starts];
    }
#endif

    private static Tensor Run(
        Tensor query, Tensor key, Tensor value, int documents, int length, AttentionMasks masks, double scale, double? softcap, int? window) =>
        Blocks(query, key, value, documents, length, length, masks, scale, softcap, window);

    private static Tensor Blocks(
        Tensor query, Tensor key, Tensor value, int documents, int queries, int keys, AttentionMasks masks, double scale, double? softcap, int? window)
    {
        long heads = query.shape[1];
        long headDim = query.shape[2];
        long kvHeads = key.shape[1];
        long group = heads / kvHeads;
        using var scope = NewDisposeScope();
        // All query heads that share a key head are rows of one product, so keys and values are never repeated.
        Tensor q = query.mul(scale).view(documents, queries, kvHeads, group, headDim).permute(0, 2, 3, 1, 4)
            .reshape(documents * kvHeads, group * queries, headDim); // [D·kv, G·T, d]
        Tensor kT = key.view(documents, keys, kvHeads, headDim).permute(0, 2, 3, 1).reshape(documents * kvHeads, headDim, keys); // [D·kv, d, S]
        Tensor v = value.view(documents, keys, kvHeads, headDim).permute(0, 2, 1, 3).reshape(documents * kvHeads, keys, headDim); // [D·kv, S, d]
        ScalarType type = q.dtype;
        Tensor scores = bmm(q, kT); // [D·kv, G·T, S]
        if (type != ScalarType.Float32)
            scores = scores.to_type(ScalarType.Float32, disposeAfter: true);
        if (softcap is double cap)
            scores = scores.div(cap).tanh().mul(cap);
        scores = scores.view(documents * kvHeads, group, queries, keys);
        if (masks.Get(queries, keys, window, scores.device) is Tensor mask) // [T, S]
            scores = scores.add_(mask);
        Tensor weights = scores.softmax(-1);
        if (type != ScalarType.Float32)
            weights = weights.to_type(type, disposeAfter: true);
        scores.Dispose();
        return bmm(weights.view(documents * kvHeads, group * queries, keys), v) // [D·kv, G·T, d]
            .view(documents, kvHeads, group, queries, headDim).permute(0, 3, 1, 2, 4)
            .reshape((long)documents * queries, heads * headDim)
            .MoveToOuterDisposeScope();
    }
}
