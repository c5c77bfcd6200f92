// The parts of a step that are no native kernel, for the profile; nothing where it is off or the native library is not ours.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif

namespace LoraBuild.Engine.Models.Kernels;

/// <summary>Each starts a measurement that ends with the disposal of the result, on the same thread.</summary>
internal static class StepClock
{
#if NATIVE_KERNELS
    public static KernelProfile.Measurement Step() => KernelProfile.Measure(ProfilePart.Step);

    /// <summary>Kernels called meanwhile are no part of a step.</summary>
    public static KernelProfile.Measurement Evaluation() => KernelProfile.Measure(ProfilePart.Evaluation);

    public static KernelProfile.Measurement Embedding() => KernelProfile.Measure(ProfilePart.Embedding);

    public static KernelProfile.Measurement Loss() => KernelProfile.Measure(ProfilePart.Loss);

    public static KernelProfile.Measurement Optimizer() => KernelProfile.Measure(ProfilePart.Optimizer);
#else
    public static IDisposable? Step() => null;

    public static IDisposable? Evaluation() => null;

    public static IDisposable? Embedding() => null;

    public static IDisposable? Loss() => null;

    public static IDisposable? Optimizer() => null;
#endif
}
