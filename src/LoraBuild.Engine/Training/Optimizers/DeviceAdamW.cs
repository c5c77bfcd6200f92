// AdamW over a CUDA device's tensors in few launches instead of eight tensor calls each.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>One parameter of an update.</summary>
/// <param name="Gradient">Null: 0.</param>
/// <param name="States">fp32 [elements] each.</param>
internal sealed record DeviceParameter(Tensor Value, Tensor? Gradient, Tensor[] States, UpdateNumbers Numbers);

internal static class DeviceAdamW
{
    /// <summary>Whether the kernel does what the rule says for this parameter.</summary>
    public static bool Fits(IElementwiseRule rule, Tensor value, Tensor? gradient)
    {
#if NATIVE_KERNELS
        return rule is AdamWRule && CudaKernels.Fit(value) && value.is_contiguous()
            && (gradient is null || (gradient.dtype == value.dtype && gradient.is_contiguous()));
#else
        return false;
#endif
    }

    /// <param name="rule">An <see cref="AdamWRule"/>.</param>
    /// <param name="parameters">Those that fit; the same step and gradient scale in all.</param>
    public static void Update(IElementwiseRule rule, IReadOnlyList<DeviceParameter> parameters)
    {
#if NATIVE_KERNELS
        var adamW = (AdamWRule)rule;
        foreach (DeviceParameter[] alike in parameters.GroupBy(p => (p.Value.dtype, p.Value.device.ToString())).Select(g => g.ToArray()))
        {
            CudaKernels.AdamW(
                [.. alike.Select(p => p.Value)],
                [.. alike.Select(p => p.Gradient!)],
                [.. alike.Select(p => p.States[0])],
                [.. alike.Select(p => p.States[1])],
                [.. alike.Select(p => p.Numbers.LearningRate)],
                [.. alike.Select(p => p.Numbers.WeightDecay)],
                new AdamWUpdate(adamW.Beta1, adamW.Beta2, adamW.Epsilon, alike[0].Numbers.GradientScale, alike[0].Numbers.Step));
        }
#else
        throw new InvalidOperationException("no parameter fits where there are no kernels");
#endif
    }
}
