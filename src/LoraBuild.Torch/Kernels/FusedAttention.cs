// Rotation and attention of packed documents as one function each, forward and backward, in the native library.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>
/// Differentiable functions over fp32 tensors in the processor's memory. They have the same bits on any number of threads, and differ from the same
/// arithmetic in tensor calls by rounding.
/// </summary>
public static class FusedAttention
{
    /// <summary>The widest head that <see cref="Packed"/> takes.</summary>
    public const int WidestHead = 512;

    /// <summary>Half-split rotation (Su et al. 2021). Keeps the angles for the backward pass, not <paramref name="x"/>.</summary>
    /// <param name="x">[P, heads, headDim], rows and heads at any stride.</param>
    /// <param name="cos">[P, 1, rotaryWidth / 2].</param>
    /// <param name="sin">[P, 1, rotaryWidth / 2].</param>
    /// <returns>[P, heads, headDim]; components from rotaryWidth on are those of <paramref name="x"/>.</returns>
    public static Tensor Rotate(Tensor x, Tensor cos, Tensor sin) =>
        NativeCall.Wrap(NativeMethods.lb_rope(Tensor.HandleOf(x), Tensor.HandleOf(cos), Tensor.HandleOf(sin), out nint result), result);

    /// <summary>
    /// softmax(cap(scale · Q Kᵀ) + causal mask) V inside each document (Dao 2023). Scores exist by tile only; beside its arguments and its result it keeps
    /// one number a query and head for the backward pass.
    /// </summary>
    /// <param name="query">[Q, heads, headDim], rows and heads at any stride; headDim at most <see cref="WidestHead"/>.</param>
    /// <param name="key">[K, keyValueHeads, headDim].</param>
    /// <param name="value">[K, keyValueHeads, headDim].</param>
    /// <param name="queryStarts">documents + 1 ascending row numbers from 0 to Q; no document is empty.</param>
    /// <param name="keyStarts">The same for keys, from 0 to K. A document's queries are the last of its keys.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="cap">scores → cap · tanh(scores / cap); null: none.</param>
    /// <param name="window">A query sees that many keys at most, itself included; null: all before it.</param>
    /// <returns>[Q, heads · headDim].</returns>
    public static unsafe Tensor Packed(
        Tensor query, Tensor key, Tensor value, ReadOnlySpan<long> queryStarts, ReadOnlySpan<long> keyStarts, double scale, double? cap, int? window)
    {
        if (queryStarts.Length < 2 || queryStarts.Length != keyStarts.Length)
            throw new ArgumentException($"{queryStarts.Length} starts of queries and {keyStarts.Length} of keys; there must be one of both a document and one more");
        fixed (long* queries = queryStarts, keys = keyStarts)
        {
            int status = NativeMethods.lb_packed_attention(
                Tensor.HandleOf(query), Tensor.HandleOf(key), Tensor.HandleOf(value), queries, keys, queryStarts.Length - 1, scale, cap ?? 0, window ?? 0, out nint result);
            return NativeCall.Wrap(status, result);
        }
    }
}
