// A frozen matrix that stays compressed while it is multiplied with: the native half of quantised and of narrowly stored weights.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>
/// W [out, in], of which pieces are widened to fp32 in the caches while it is multiplied with, forward and backward. The tensors that it is made of lie in the processor's memory, are
/// contiguous, and stay alive as long as it, or a graph that uses it.
/// </summary>
public sealed class TiledWeight : IDisposable
{
    private TiledWeight(FrozenWeightInfo info, Tensor codes, Tensor scales, Tensor nestedScales, Tensor nestedMap, float[] table)
    {
        foreach (Tensor tensor in new[] { codes, scales, nestedScales, nestedMap })
        {
            if (tensor is not null && (tensor.device_type != TorchSharp.DeviceType.CPU || !tensor.is_contiguous()))
                throw new ArgumentException("a tiled weight is made of contiguous tensors in the processor's memory");
        }

        OutFeatures = info.Rows;
        InFeatures = info.Columns;
        NativeCall.Check(NativeMethods.lb_frozen_weight_new(info, Tensor.HandleOf(codes), Tensor.HandleOf(scales), Tensor.HandleOf(nestedScales), Tensor.HandleOf(nestedMap), table, out nint weight));
        Handle = new FrozenWeightHandle(weight);
        IsRounded = info.RoundsToBFloat16 != 0;
    }

    public long OutFeatures { get; }

    public long InFeatures { get; }

    /// <summary>Operands and results of products are rounded to bf16.</summary>
    public bool IsRounded { get; }

    internal FrozenWeightHandle Handle { get; }

    /// <summary>Two codes a byte, the first in the high half; blocks of <paramref name="blockSize"/> elements of the row-major matrix share a scale.</summary>
    /// <param name="codes">uint8.</param>
    /// <param name="scales">fp32, one a block; or uint8 codes of them with <paramref name="nestedScales"/>.</param>
    /// <param name="table">What the sixteen codes stand for.</param>
    /// <param name="nestedScales">fp32: scale = map[code] · nestedScales[block / nestedBlockSize] + offset; null: scales are plain.</param>
    /// <param name="nestedMap">fp32, 256 values.</param>
    public static TiledWeight FourBit(
        long rows, long columns, Tensor codes, Tensor scales, int blockSize, float[] table, bool roundsToBFloat16,
        Tensor nestedScales = null, Tensor nestedMap = null, int nestedBlockSize = 0, float offset = 0)
    {
        long elements = checked(rows * columns), blocks = (elements + blockSize - 1) / blockSize;
        Need(codes, ScalarType.Byte, (elements + 1) / 2);
        Need(scales, nestedScales is null ? ScalarType.Float32 : ScalarType.Byte, blocks);
        if (table.Length != 16) throw new ArgumentException("sixteen values", nameof(table));
        if (nestedScales is not null)
        {
            Need(nestedScales, ScalarType.Float32, (blocks + nestedBlockSize - 1) / nestedBlockSize);
            Need(nestedMap, ScalarType.Float32, 256);
        }

        return new TiledWeight(
            new FrozenWeightInfo
            {
                Kind = FrozenKind.FourBit, Rows = rows, Columns = columns, BlockSize = blockSize, NestedBlockSize = nestedScales is null ? 0 : nestedBlockSize, Offset = offset,
                RoundsToBFloat16 = roundsToBFloat16 ? 1 : 0,
            },
            codes, scales, nestedScales, nestedMap, table);
    }

    /// <summary>code · scale of the row / 127.</summary>
    /// <param name="codes">int8 [out, in].</param>
    /// <param name="scales">fp32 [out].</param>
    public static TiledWeight Int8(Tensor codes, Tensor scales, bool roundsToBFloat16)
    {
        Need(codes, ScalarType.Int8, codes.shape[0] * codes.shape[1]);
        Need(scales, ScalarType.Float32, codes.shape[0]);
        return new TiledWeight(
            new FrozenWeightInfo { Kind = FrozenKind.Int8Rows, Rows = codes.shape[0], Columns = codes.shape[1], RoundsToBFloat16 = roundsToBFloat16 ? 1 : 0 },
            codes, scales, null, null, null);
    }

    /// <summary>bf16 or fp16 as it is stored, widened exactly.</summary>
    /// <param name="stored">[out, in].</param>
    public static TiledWeight Stored(Tensor stored)
    {
        if (stored.dtype is not (ScalarType.BFloat16 or ScalarType.Float16)) throw new ArgumentException($"{stored.dtype} is not widened by tile", nameof(stored));
        return new TiledWeight(
            new FrozenWeightInfo { Kind = stored.dtype == ScalarType.BFloat16 ? FrozenKind.BFloat16 : FrozenKind.Float16, Rows = stored.shape[0], Columns = stored.shape[1] },
            stored, null, null, null, null);
    }

    /// <summary>y = x Wᵀ + b, differentiable in x and b; dx = dy W.</summary>
    /// <param name="x">[n, in], fp32 or bf16.</param>
    /// <param name="bias">[out], or null.</param>
    /// <returns>[n, out] in the type of <paramref name="x"/>.</returns>
    public Tensor Linear(Tensor x, Tensor bias) =>
        NativeCall.Wrap(NativeMethods.lb_tiled_linear(Handle, Tensor.HandleOf(x), Tensor.HandleOf(bias), out nint result), result);

    /// <returns>[count, in] in fp32, never rounded.</returns>
    public Tensor Rows(long first, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, OutFeatures, nameof(count));
        return NativeCall.Wrap(NativeMethods.lb_frozen_weight_rows(Handle, first, count, out nint result), result);
    }

    public void Dispose() => Handle.Dispose();

    private static void Need(Tensor tensor, ScalarType type, long elements)
    {
        if (tensor.dtype != type || tensor.NumberOfElements != elements)
            throw new ArgumentException($"{tensor.dtype} with {tensor.NumberOfElements} elements where {type} with {elements} is needed");
    }
}
