// A frozen matrix on a CUDA device that stays compressed while it is multiplied with.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>W [rows, columns] in four-bit codes, in int8, or in the narrower type of its file. The tensors are dense, lie on one device, and belong to the caller.</summary>
public sealed class FrozenOnDevice
{
    private readonly CudaFrozenWeight described;
    private readonly Tensor[] tensors; // kept, since the description holds their handles alone

    private FrozenOnDevice(CudaFrozenWeight described, params Tensor[] tensors)
    {
        this.described = described;
        this.tensors = tensors;
    }

    /// <summary>Two codes a byte, the first in the high half, row after row. The scale of a block is an fp32, or a byte that stands for map[byte] · absmax[block / group] + offset.</summary>
    /// <param name="packed">uint8.</param>
    /// <param name="scales">fp32 [blocks], or uint8 [blocks] where <paramref name="map"/> is given.</param>
    /// <param name="blockSize">Numbers that share a scale.</param>
    /// <param name="table">The sixteen values.</param>
    /// <param name="map">fp32 [256]; null: the scales are plain.</param>
    /// <param name="absmax">fp32, one for each <paramref name="group"/> blocks.</param>
    public static FrozenOnDevice FourBit(
        long rows, long columns, Tensor packed, Tensor scales, long blockSize, ReadOnlySpan<float> table, Tensor map = null, Tensor absmax = null, long group = 0, double offset = 0)
    {
        if (table.Length != 16) throw new ArgumentException($"a table of four-bit codes has 16 values, not {table.Length}", nameof(table));
        var described = new CudaFrozenWeight
        {
            Codes = packed.Handle, Scales = scales.Handle, Map = map?.Handle ?? 0, Absmax = absmax?.Handle ?? 0, Kind = CudaFrozenKind.FourBit, Rows = rows, Columns = columns, Block = blockSize, Group = group, Offset = offset,
        };
        table.CopyTo(described.Table);
        return new FrozenOnDevice(described, packed, scales, map, absmax);
    }

    /// <summary>code · scale of the row / 127.</summary>
    /// <param name="codes">int8 [rows, columns].</param>
    /// <param name="scales">fp32 [rows].</param>
    public static FrozenOnDevice Int8(Tensor codes, Tensor scales) => new(
        new CudaFrozenWeight { Codes = codes.Handle, Scales = scales.Handle, Kind = CudaFrozenKind.Int8, Rows = codes.shape[0], Columns = codes.shape[1] }, codes, scales);

    /// <summary>bf16 or fp16 as it is stored.</summary>
    /// <param name="stored">[rows, columns].</param>
    public static FrozenOnDevice Stored(Tensor stored) => new(
        new CudaFrozenWeight { Codes = stored.Handle, Kind = CudaFrozenKind.Stored, Rows = stored.shape[0], Columns = stored.shape[1] }, stored);

    /// <summary>y = x Wᵀ, differentiable in x; W is decoded a rectangle at a time, forward and backward.</summary>
    /// <param name="x">[P, columns], fp32 or bf16: the type in which W is decoded and multiplied.</param>
    /// <returns>[P, rows], a new tensor that the graph does not keep.</returns>
    public Tensor Linear(Tensor x)
    {
        Tensor result = NativeCall.Wrap(NativeMethods.lb_cuda_frozen_linear(x.handle, described, out nint y), y);
        GC.KeepAlive(tensors);
        return result;
    }

    /// <summary>Rows of the weight, decoded.</summary>
    /// <param name="like">Gives type and device.</param>
    /// <returns>[count, columns].</returns>
    public Tensor Rows(Tensor like, long first, long count)
    {
        Tensor result = NativeCall.Wrap(NativeMethods.lb_cuda_frozen_rows(like.handle, described, first, count, out nint y), y);
        GC.KeepAlive(tensors);
        return result;
    }

    /// <summary>How many decoded numbers a product may hold at once, of all weights: 64 rows or columns at least, 32 Mi numbers unless this was called.</summary>
    public static void SetBuffer(long elements) => NativeCall.Check(NativeMethods.lb_cuda_set_frozen_buffer(elements));
}
