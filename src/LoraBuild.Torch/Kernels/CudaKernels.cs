// The kernels for CUDA devices, where the native library was built with them; see docs/cuda.md.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>One AdamW update.</summary>
/// <param name="GradientScale">What gradients are multiplied with first.</param>
/// <param name="Step">t, from 1.</param>
public sealed record AdamWUpdate(double Beta1, double Beta2, double Epsilon, double GradientScale, long Step);

/// <summary>
/// Functions over fp32 and bf16 tensors on a CUDA device of compute capability 8.0 or newer; sums are fp32. Where the types differ from what is asked here,
/// or the native library has no CUDA kernels, <see cref="Fit"/> says so and tensor calls do the same. None waits for the device.
/// </summary>
public static class CudaKernels
{
    /// <summary>Whether the native library was compiled with nvcc against a libtorch with CUDA.</summary>
    public static bool AreBuilt => NativeMethods.lb_cuda_has_kernels() != 0;

    /// <summary>Whether the kernels compute with tensors like this one.</summary>
    public static bool Fit(Tensor tensor)
    {
        if (tensor.device_type != TorchSharp.DeviceType.CUDA || !AreBuilt) return false;
        NativeCall.Check(NativeMethods.lb_cuda_fits(tensor.handle, out int result));
        return result != 0;
    }

    /// <summary>act(gate) · up, differentiable in both; both are kept for the backward pass.</summary>
    /// <param name="gate">[rows, width].</param>
    /// <param name="up">[rows, width].</param>
    public static Tensor Gated(Tensor gate, Tensor up, GateFunction kind) => NativeCall.Wrap(NativeMethods.lb_cuda_gated(gate.handle, up.handle, (long)kind, out nint result), result);

    /// <summary>Token losses from logits, and, where it is wanted, weight · ∂loss/∂(scale · logit) in the logits' place. No graph is made.</summary>
    /// <param name="logits">[n, vocab] dense.</param>
    /// <param name="targets">int64 [n].</param>
    /// <param name="weights">fp32 [n]; null: 1.</param>
    /// <param name="losses">fp32 [n]; written, without the weights.</param>
    /// <param name="softcap">0: none.</param>
    /// <param name="smoothing">ε of label smoothing.</param>
    public static void CrossEntropy(Tensor logits, Tensor targets, Tensor weights, Tensor losses, double logitScale, double softcap, double smoothing, bool wantsGradient) =>
        NativeCall.Check(NativeMethods.lb_cuda_cross_entropy(logits.handle, targets.handle, Tensor.HandleOf(weights), losses.handle, logitScale, softcap, smoothing, wantsGradient ? 1 : 0));

    /// <summary>Writes 1 / keep with probability <paramref name="keep"/>, else 0. Element i is decided by the seed and <paramref name="first"/> + i alone.</summary>
    /// <param name="mask">Dense, of any shape.</param>
    public static void FillDropoutMask(Tensor mask, long seed, long first, double keep) => NativeCall.Check(NativeMethods.lb_cuda_dropout_mask(mask.handle, seed, first, keep));

    /// <summary>Updates parameters of one type and device in few launches; the same arithmetic as torch's AdamW, fp32 inside.</summary>
    /// <param name="gradients">Of each parameter; null counts as 0.</param>
    /// <param name="first">exp_avg, fp32.</param>
    /// <param name="second">exp_avg_sq, fp32.</param>
    /// <param name="rates">Learning rate of each.</param>
    /// <param name="decays">Weight decay of each.</param>
    public static void AdamW(
        IReadOnlyCollection<Tensor> parameters, IReadOnlyCollection<Tensor> gradients, IReadOnlyCollection<Tensor> first, IReadOnlyCollection<Tensor> second, double[] rates, double[] decays, AdamWUpdate update)
    {
        int count = parameters.Count;
        if (gradients.Count != count || first.Count != count || second.Count != count || rates.Length != count || decays.Length != count)
            throw new ArgumentException($"{count} parameters need as many gradients, moments, rates and decays");
        var step = new CudaAdamWStep { Beta1 = update.Beta1, Beta2 = update.Beta2, Epsilon = update.Epsilon, GradientScale = update.GradientScale, Step = update.Step };
        NativeCall.Check(NativeMethods.lb_cuda_adamw(NativeCall.Raw(parameters), NativeCall.Raw(gradients), NativeCall.Raw(first), NativeCall.Raw(second), rates, decays, count, in step));
        GC.KeepAlive(parameters);
        GC.KeepAlive(gradients);
        GC.KeepAlive(first);
        GC.KeepAlive(second);
    }
}
