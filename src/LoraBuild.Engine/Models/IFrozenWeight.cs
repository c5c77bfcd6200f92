// A frozen matrix that is no tensor of the arithmetic's type: compressed, or held as its file has it.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>W [out, in] that is widened piece by piece while it is used; the whole of it never exists in the type of the arithmetic.</summary>
public interface IFrozenWeight : IDisposable
{
    long OutFeatures { get; }

    long InFeatures { get; }

    /// <summary>What the weight takes in memory, its scales included.</summary>
    long ByteCount { get; }

    Device Device { get; }

#if NATIVE_KERNELS
    /// <summary>What the native kernels multiply with; null: they cannot.</summary>
    TiledWeight? Native => null;
#endif

    /// <summary>y = x Wᵀ + b, differentiable in x (dx = dy W). Of the backward pass only this object is kept, no widened weight.</summary>
    /// <param name="x">[P, in].</param>
    /// <param name="bias">[out], or null.</param>
    /// <returns>[P, out], a new tensor in the type of <paramref name="x"/>.</returns>
    Tensor Linear(Tensor x, Tensor? bias);

    /// <summary>Rows [first, first + count) in fp32.</summary>
    /// <returns>[count, in], a new tensor.</returns>
    Tensor Rows(long first, long count);

    /// <summary>Single rows in fp32.</summary>
    /// <param name="ids">int64 [n], in any order and more than once.</param>
    /// <returns>[n, in], a new tensor.</returns>
    Tensor Rows(Tensor ids);
}
