// Products with a weight into memory that is there, both ways: what a loss needs that computes its gradient by itself. Autograd does not see them.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

internal static class WeightProduct
{
    /// <summary>y = x Wᵀ.</summary>
    /// <param name="x">[n, in] in the weight's type.</param>
    /// <param name="y">[n, out], overwritten.</param>
    public static void Forward_(Tensor x, LinearWeight weight, Tensor y)
    {
#if NATIVE_KERNELS
        if (weight.Plain is Tensor dense && FusedKernels.Fit(dense) && FusedKernels.Fit(x))
            FrozenProduct.Forward_(x, dense, y);
        else if (weight.Frozen?.Native is { IsRounded: false } tiled && FusedKernels.Fit(x))
            FrozenProduct.Forward_(x, tiled, y);
        else
#endif
            Reference_(x, weight, y);
    }

    /// <summary>dx = factor · dy W.</summary>
    /// <param name="dy">[n, out] in the weight's type.</param>
    /// <param name="dx">[n, in], overwritten.</param>
    public static void Backward_(Tensor dy, LinearWeight weight, double factor, Tensor dx)
    {
#if NATIVE_KERNELS
        if (weight.Plain is Tensor dense && FusedKernels.Fit(dense) && FusedKernels.Fit(dy))
            FrozenProduct.Backward_(dy, dense, factor, dx);
        else if (weight.Frozen?.Native is { IsRounded: false } tiled && FusedKernels.Fit(dy))
            FrozenProduct.Backward_(dy, tiled, factor, dx);
        else
#endif
            ReferenceBackward_(dy, weight, factor, dx);
    }

    /// <summary>The same in tensor calls, which is what the kernel has to equal.</summary>
    internal static void Reference_(Tensor x, LinearWeight weight, Tensor y)
    {
        using var scope = NewDisposeScope();
        if (weight.Plain is Tensor plain)
            y.addmm_(x, plain.t(), 0, 1);
        else
            TiledLinear.Forward_(x, weight.Frozen!, isRounded: false, y);
    }

    internal static void ReferenceBackward_(Tensor dy, LinearWeight weight, double factor, Tensor dx)
    {
        if (weight.Plain is Tensor plain)
            dx.addmm_(dy, plain, 0, (float)factor);
        else
            TiledLinear.Backward_(dy, weight.Frozen!, isRounded: false, factor, dx);
    }
}
