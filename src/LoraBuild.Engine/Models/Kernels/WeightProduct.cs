// Products with a weight into memory that is there, both ways: what a loss needs that computes its gradient by itself. Autograd does not see them.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

internal static class WeightProduct
{
    /// <summary>y = x Wᵀ.</summary>
    /// <param name="x">[n, in] in the weight's type.</param>
    /// <param name="y">[n, out], overwritten.</param>
    public static void Forward_(Tensor x, LinearWeight weight, Tensor y)
    {
        using var scope = NewDisposeScope();
        if (weight.Plain is Tensor plain)
            y.addmm_(x, plain.t(), 0, 1);
        else
            TiledLinear.Forward_(x, weight.Frozen!, isRounded: false, y);
    }

    /// <summary>dx = factor · dy W.</summary>
    /// <param name="dy">[n, out] in the weight's type.</param>
    /// <param name="dx">[n, in], overwritten.</param>
    public static void Backward_(Tensor dy, LinearWeight weight, double factor, Tensor dx)
    {
        if (weight.Plain is Tensor plain)
            dx.addmm_(dy, plain, 0, (float)factor);
        else
            TiledLinear.Backward_(dy, weight.Frozen!, isRounded: false, factor, dx);
    }
}
