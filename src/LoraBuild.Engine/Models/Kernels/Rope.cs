// Rotary position embedding: the fused kernel where it fits, else the same in TorchSharp calls, which is what the kernel has to equal.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

/// <summary>Half-split rotation (Su et al. 2021 in the layout of Hugging Face): component i turns with component i + d/2.</summary>
public static class Rope
{
    /// <param name="x">[P, heads, headDim].</param>
    /// <param name="cos">[P, 1, rotaryWidth / 2], the type of <paramref name="x"/>.</param>
    /// <param name="sin">[P, 1, rotaryWidth / 2].</param>
    /// <returns>[P, heads, headDim]; components from rotaryWidth on are those of <paramref name="x"/>.</returns>
    public static Tensor Apply(Tensor x, Tensor cos, Tensor sin)
    {
#if NATIVE_KERNELS
        if (FusedKernels.Fit(x) || (CudaKernels.Fit(x) && cos.dtype == x.dtype))
            return FusedAttention.Rotate(x, cos, sin);
#endif
        return Reference(x, cos, sin);
    }

    internal static Tensor Reference(Tensor x, Tensor cos, Tensor sin)
    {
        long headDim = x.shape[^1];
        long half = cos.shape[^1];
        using Tensor first = x.narrow(-1, 0, half);
        using Tensor second = x.narrow(-1, half, half);
        using Tensor turnedFirst = first.mul(cos);
        using Tensor turnedSecond = second.mul(cos);
        // Products save their factors, not themselves, for the backward pass: adding in place is safe and saves two copies.
        turnedFirst.addcmul_(second, sin, -1);
        turnedSecond.addcmul_(first, sin, 1);
        if (half * 2 == headDim)
            return cat([turnedFirst, turnedSecond], -1);
        using Tensor rest = x.narrow(-1, half * 2, headDim - (half * 2));
        return cat([turnedFirst, turnedSecond, rest], -1);
    }
}
