// What libtorch itself does fast on a device and TorchSharp has no call for: attention with document boundaries, a norm over many tensors, memory figures.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>Needs no kernels of our own, so it is there without nvcc too.</summary>
public static class DeviceKernels
{
    /// <summary>Whether <see cref="Attention"/> can be called: libtorch 2.6 or newer.</summary>
    public static bool HasAttention => NativeMethods.lb_has_sdpa_attention() != 0;

    /// <summary>Causal attention inside each document, by flash attention over all documents at once, or by a call for each run of equally long ones. Differentiable.</summary>
    /// <param name="query">[P, heads, headDim].</param>
    /// <param name="key">[P, keyValueHeads, headDim].</param>
    /// <param name="value">[P, keyValueHeads, headDim].</param>
    /// <param name="starts">documents + 1 row numbers from 0 to P.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="window">Query i sees keys j with i − window &lt; j ≤ i; 0: all j ≤ i.</param>
    /// <returns>[P, heads · headDim].</returns>
    public static Tensor Attention(Tensor query, Tensor key, Tensor value, long[] starts, double scale, int window)
    {
        return NativeCall.Wrap(NativeMethods.lb_sdpa_attention(query.handle, key.handle, value.handle, starts, starts.Length - 1, scale, window, out nint result), result);
    }

    /// <summary>√(Σ x²) over all of them: fp32 each, fp64 together. A device is waited for once and not for each tensor.</summary>
    public static double TotalNorm(IReadOnlyCollection<Tensor> tensors)
    {
        NativeCall.Check(NativeMethods.lb_total_norm(NativeCall.Raw(tensors), tensors.Count, out double total));
        GC.KeepAlive(tensors);
        return total;
    }
}

/// <summary>What libtorch's allocator holds on a CUDA device. Known only where the native library was built with CUDA kernels.</summary>
/// <param name="AllocatedBytes">In tensors now.</param>
/// <param name="PeakAllocatedBytes">In tensors at most since <see cref="ResetPeak"/>.</param>
/// <param name="PeakReservedBytes">Taken from the device at most.</param>
public sealed record DeviceMemory(long AllocatedBytes, long PeakAllocatedBytes, long PeakReservedBytes)
{
    /// <summary>Null where it is not known: another kind of device, or a library without CUDA kernels.</summary>
    public static DeviceMemory Of(Device device)
    {
        if (device.type != TorchSharp.DeviceType.CUDA || !CudaKernels.AreBuilt) return null;
        NativeCall.Check(NativeMethods.lb_cuda_memory(Math.Max(0, device.index), out long allocated, out long peak, out long reserved));
        return new DeviceMemory(allocated, peak, reserved);
    }

    /// <summary>Bytes that the device has left for any process, once this one has its context there. Null where it is not known.</summary>
    public static long? FreeBytes(Device device)
    {
        if (device.type != TorchSharp.DeviceType.CUDA || !CudaKernels.AreBuilt) return null;
        NativeCall.Check(NativeMethods.lb_cuda_free_memory(Math.Max(0, device.index), out long bytes));
        return bytes;
    }

    /// <summary>The peaks count from what is held now.</summary>
    public static void ResetPeak(Device device)
    {
        if (device.type == TorchSharp.DeviceType.CUDA && CudaKernels.AreBuilt) NativeCall.Check(NativeMethods.lb_cuda_reset_peak(Math.Max(0, device.index)));
    }
}
