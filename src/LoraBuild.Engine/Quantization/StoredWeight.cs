// The weight of a linear module or of an embedding in the narrow type of its file, while the arithmetic is fp32.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using static TorchSharp.torch;
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif

namespace LoraBuild.Engine.Quantization;

/// <summary>bf16 or fp16, usually mapped from the file: widening is exact, so the results are those of a widened copy, in half the memory.</summary>
public sealed class StoredWeight : IFrozenWeight
{
    private readonly Tensor stored; // [out, in]
#if NATIVE_KERNELS
    private readonly FrozenOnDevice? onDevice;
#endif

    /// <param name="stored">bf16 or fp16, contiguous; owned by this object.</param>
    public StoredWeight(Tensor stored)
    {
        this.stored = stored.DetachFromDisposeScope();
#if NATIVE_KERNELS
        Native = stored.device_type == TorchSharp.DeviceType.CPU ? TiledWeight.Stored(stored) : null;
        onDevice = stored.device_type == TorchSharp.DeviceType.CUDA && CudaKernels.AreBuilt ? FrozenOnDevice.Stored(this.stored) : null;
#endif
    }

    public long OutFeatures => stored.shape[0];

    public long InFeatures => stored.shape[1];

    public long ByteCount => stored.NumberOfElements * stored.ElementSize;

    public Device Device => stored.device;

#if NATIVE_KERNELS
    public TiledWeight? Native { get; }
#endif

    /// <inheritdoc/>
    public Tensor Linear(Tensor x, Tensor? bias)
    {
#if NATIVE_KERNELS
        if (Native is not null)
            return Native.Linear(x, bias);
        if (onDevice is not null && x.dtype == ScalarType.Float32 && CudaKernels.Fit(x))
        {
            Tensor y = onDevice.Linear(x);
            return bias is null ? y : y.add_(bias);
        }
#endif
        return TiledLinear.Apply(x, this, ScalarType.Float32, bias);
    }

    /// <inheritdoc/>
    public Tensor Rows(long first, long count)
    {
        using Tensor rows = stored.narrow(0, first, count);
        return rows.to_type(ScalarType.Float32);
    }

    /// <inheritdoc/>
    public Tensor Rows(Tensor ids)
    {
        using Tensor rows = stored.index_select(0, ids);
        return rows.to_type(ScalarType.Float32);
    }

    public void Dispose()
    {
#if NATIVE_KERNELS
        Native?.Dispose();
#endif
        stored.Dispose();
    }
}
