// Tests of what runs on a GPU.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests;

/// <summary>Skipped, and said so, where there is no CUDA device or the native library has no kernels for it.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CudaTheoryAttribute : TheoryAttribute
{
    public CudaTheoryAttribute() => Skip = CudaTest.SkipReason;
}

/// <inheritdoc cref="CudaTheoryAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CudaFactAttribute : FactAttribute
{
    public CudaFactAttribute() => Skip = CudaTest.SkipReason;
}

internal static class CudaTest
{
    /// <summary>Null where the tests run.</summary>
    public static string? SkipReason { get; } =
#if NATIVE_KERNELS
        !CudaKernels.AreBuilt ? "the native library was built without CUDA kernels" :
#endif
        !cuda_is_available() ? "there is no CUDA device" : null;

    public static Device Device => device(TorchSharp.DeviceType.CUDA, 0);
}
