// RMSNorm: the fused kernel where it fits, else the same in TorchSharp calls, which is what the kernel has to equal.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

/// <summary>y = x · rsqrt(mean(x²) + ε) · w (Zhang and Sennrich 2019), the mean and the product in fp32.</summary>
public static class RmsNorm
{
    /// <param name="x">[…, width], any floating type.</param>
    /// <param name="weight">[width].</param>
    /// <param name="eps">Added to the mean of squares.</param>
    /// <param name="hasUnitOffset">Gemma: × (1 + w) in fp32 and then the cast; otherwise the cast comes first and then × w.</param>
    /// <returns>[…, width], the type of <paramref name="x"/>.</returns>
    public static Tensor Apply(Tensor x, Tensor weight, double eps, bool hasUnitOffset)
    {
#if NATIVE_KERNELS
        if (FusedKernels.Fit(x) && FusedKernels.Fit(weight))
            return FusedKernels.RmsNorm(x, weight, eps, hasUnitOffset ? 1 : 0);
        if (CudaKernels.Fit(x) && CudaKernels.Fit(weight) && x.dtype == weight.dtype)
            return FusedKernels.RmsNorm(x, weight, eps, hasUnitOffset ? 1 : 0);
#endif
        return Reference(x, weight, eps, hasUnitOffset);
    }

    internal static Tensor Reference(Tensor x, Tensor weight, double eps, bool hasUnitOffset)
    {
        ScalarType type = x.dtype;
        bool isWide = type == ScalarType.Float32;
        using Tensor? widened = isWide ? null : x.to_type(ScalarType.Float32);
        Tensor wide = widened ?? x;
        using Tensor squares = wide.square();
        using Tensor mean = squares.mean([-1], keepdim: true); // […, 1]
        using Tensor shifted = mean.add(eps);
        using Tensor scale = shifted.rsqrt();
        using Tensor normalised = wide.mul(scale); // […, width]
        if (hasUnitOffset)
        {
            using Tensor wideWeight = TensorTypes.Converted(weight, ScalarType.Float32, weight.device);
            using Tensor factor = wideWeight.add(1.0);
            Tensor product = normalised.mul(factor);
            return isWide ? product : product.to_type(type, disposeAfter: true);
        }

        if (isWide)
            return normalised.mul(weight);
        using Tensor narrowed = normalised.to_type(type);
        return narrowed.mul(weight);
    }
}
