// The resident memory that an action needs at its peak, as the kernel counts it.
using LoraBuild.Engine.Training;
#if NATIVE_KERNELS
using LoraBuild.Torch.Native;
#endif

namespace LoraBuild.Engine.Tests;

internal static class PeakMemory
{
    private const string ClearReferences = "/proc/self/clear_refs";

    /// <summary>Linux sets the peak of a process back to what is resident now.</summary>
    public static bool CanBeReset => File.Exists(ClearReferences);

    /// <summary>Bytes above those that were resident before.</summary>
    public static long Of(Action action)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
#if NATIVE_KERNELS
        NativeRuntime.TrimTensorMemory(); // what earlier tests left reserved would hide what is needed now
#endif
        File.WriteAllText(ClearReferences, "5"); // proc(5): resets VmHWM
        long before = ProcessMemory.PeakBytes();
        action();
        return ProcessMemory.PeakBytes() - before;
    }
}
