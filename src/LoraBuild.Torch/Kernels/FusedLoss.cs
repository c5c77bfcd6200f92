// Cross-entropy that needs no memory beside the logits, in the native library.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>Losses over fp32 tensors in the processor's memory. The number of threads changes no bit of them.</summary>
public static class FusedLoss
{
    /// <summary>−log softmax(cap(scale · x))[target] of each row, and its gradient in place of the logits. Autograd does not see it.</summary>
    /// <param name="logits">[n, vocab], the product with the head alone; overwritten: with weight · ∂loss/∂(scale · x) if that is wanted, else with what is of no use.</param>
    /// <param name="targets">int64 [n].</param>
    /// <param name="weights">fp32 [n]; null: 1.</param>
    /// <param name="scale">Factor on the logits.</param>
    /// <param name="cap">z → cap · tanh(z / cap); null: none.</param>
    /// <param name="labelSmoothing">ε: the target is 1 − ε on the token and ε / vocab everywhere.</param>
    /// <returns>fp32 [n], the losses without weights.</returns>
    public static Tensor CrossEntropy_(Tensor logits, Tensor targets, Tensor weights, double scale, double? cap, double labelSmoothing, bool hasGradient)
    {
        int status = NativeMethods.lb_cross_entropy_(
            Tensor.HandleOf(logits), Tensor.HandleOf(targets), Tensor.HandleOf(weights), scale, cap ?? 0, labelSmoothing, hasGradient ? 1 : 0, out nint losses);
        return NativeCall.Wrap(status, losses);
    }
}
