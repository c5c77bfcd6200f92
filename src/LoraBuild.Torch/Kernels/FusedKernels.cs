// What TorchSharp has no call for: layers of a decoder as one function each, forward and backward, in the native library.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>
/// Differentiable functions over fp32 tensors in the processor's memory. Each saves for the backward pass only what it must. Results depend on the
/// number of threads in none of them; they differ from the same arithmetic in tensor calls by rounding.
/// </summary>
public static class FusedKernels
{
    /// <summary>Whether the kernels compute with tensors like this one.</summary>
    public static bool Fit(Tensor tensor) => tensor.dtype == ScalarType.Float32 && tensor.device_type == TorchSharp.DeviceType.CPU;

    /// <summary>y = x · rsqrt(mean(x²) + ε) · (offset + w) (Zhang and Sennrich 2019).</summary>
    /// <param name="x">[…, width].</param>
    /// <param name="weight">[width].</param>
    /// <param name="eps">Added to the mean of squares.</param>
    /// <param name="offset">1 in Gemma's models, else 0.</param>
    /// <returns>[…, width].</returns>
    public static Tensor RmsNorm(Tensor x, Tensor weight, double eps, double offset) =>
        NativeCall.Wrap(NativeMethods.lb_rms_norm(Tensor.HandleOf(x), Tensor.HandleOf(weight), eps, offset, out nint result), result);
}
