// Cross-entropy of rows of logits: the fused kernel where it fits, else the same in TorchSharp calls, which is what the kernel has to equal.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

/// <summary>−log softmax(cap(s · x))[target] with label smoothing, and its gradient beside it. Autograd does not see it.</summary>
internal static class CrossEntropy
{
    /// <param name="logits">fp32 [n, vocab], x; used up, and the gradient may stand in its place.</param>
    /// <param name="targets">int64 [n].</param>
    /// <param name="weights">fp32 [n], factors of the gradient's rows; null: 1.</param>
    /// <param name="scale">s.</param>
    /// <param name="softcap">cap(z) = c · tanh(z / c); null: cap(z) = z.</param>
    /// <param name="labelSmoothing">ε: the target is 1 − ε on the token and ε / vocab everywhere.</param>
    /// <returns>The losses [n], without weights; and, if wanted, weight · ∂loss/∂(s · x) [n, vocab], which the caller does not dispose beside the logits.</returns>
    public static (Tensor Losses, Tensor? Gradient) Apply(Tensor logits, Tensor targets, Tensor? weights, double scale, double? softcap, double labelSmoothing, bool hasGradient)
    {
#if NATIVE_KERNELS
        if (FusedKernels.Fit(logits))
            return (FusedLoss.CrossEntropy_(logits, targets, weights, scale, softcap, labelSmoothing, hasGradient), hasGradient ? logits : null);
#endif
        return Reference(logits, targets, weights, scale, softcap, labelSmoothing, hasGradient);
    }

    internal static (Tensor Losses, Tensor? Gradient) Reference(Tensor logits, Tensor targets, Tensor? weights, double scale, double? softcap, double labelSmoothing, bool hasGradient)
    {
        using DisposeScope scope = NewDisposeScope();
        if (scale != 1)
            logits.mul_(scale);
        if (softcap is double bound)
            logits.div_(bound).tanh_().mul_(bound);
        Tensor target = targets.unsqueeze(1); // [n, 1]
        Tensor logProbabilities = logits.log_softmax(1); // [n, vocab]
        Tensor losses = logProbabilities.gather(1, target).neg_(); // [n, 1]
        if (labelSmoothing > 0)
            losses.mul_(1 - labelSmoothing).add_(logProbabilities.mean([1], keepdim: true), -labelSmoothing);
        Tensor result = losses.squeeze(1).MoveToOuterDisposeScope();
        if (!hasGradient)
            return (result, null);
        Tensor gradient = logProbabilities.exp_(); // softmax − target
        gradient.scatter_add_(1, target, full([targets.shape[0], 1], (float)(labelSmoothing - 1), dtype: ScalarType.Float32, device: logits.device));
        if (labelSmoothing > 0)
            gradient.sub_(labelSmoothing / gradient.shape[1]);
        if (weights is not null)
            gradient.mul_(weights.unsqueeze(1));
        if (softcap is double cap)
            gradient.mul_(logits.div_(cap).square().neg().add_(1)); // d cap(z)/dz = 1 − tanh²(z / c)
        return (result, gradient.MoveToOuterDisposeScope());
    }
}
