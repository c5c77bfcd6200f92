// Products with a frozen matrix where there is no graph: into memory that is already there.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>
/// fp32 in the processor's memory, rows with their columns side by side. Neither the number of threads nor the other rows change a bit of a row, and a <see cref="TiledWeight"/> gives those
/// of its widened copy; but for fewer than twelve rows with a dense weight, which the libraries of matrix products multiply faster and sum in another order.
/// </summary>
public static class FrozenProduct
{
    /// <summary>y = x Wᵀ.</summary>
    /// <param name="x">[n, in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="y">[n, out]; overwritten.</param>
    public static void Forward_(Tensor x, Tensor weight, Tensor y) => Check(x, weight, null, true, 1, y);

    /// <inheritdoc cref="Forward_(Tensor, Tensor, Tensor)"/>
    public static void Forward_(Tensor x, TiledWeight weight, Tensor y) => Check(x, null, weight, true, 1, y);

    /// <summary>dx = factor · dy W.</summary>
    /// <param name="dy">[n, out].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="dx">[n, in]; overwritten.</param>
    public static void Backward_(Tensor dy, Tensor weight, double factor, Tensor dx) => Check(dy, weight, null, false, factor, dx);

    /// <inheritdoc cref="Backward_(Tensor, Tensor, double, Tensor)"/>
    public static void Backward_(Tensor dy, TiledWeight weight, double factor, Tensor dx) => Check(dy, null, weight, false, factor, dx);

    private static void Check(Tensor left, Tensor dense, TiledWeight frozen, bool isTransposed, double factor, Tensor result) =>
        NativeCall.Check(NativeMethods.lb_frozen_product_(
            Tensor.HandleOf(left), Tensor.HandleOf(dense), frozen?.Handle ?? FrozenWeightHandle.None, isTransposed ? 1 : 0, factor, Tensor.HandleOf(result)));
}
