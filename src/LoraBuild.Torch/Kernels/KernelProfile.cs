// Where the time of a step goes, as the kernels themselves count it.
using LoraBuild.Torch.Native;

namespace LoraBuild.Torch.Kernels;

/// <summary>What a kernel belongs to; in the order of the native side.</summary>
public enum ProfilePart
{
    /// <summary>Products with frozen or trained weights.</summary>
    Linear,

    /// <summary>Low-rank products of an adapter.</summary>
    Adapter,
    Attention,
    Rope,
    Norm,
    Activation,

    /// <summary>The head's product and the cross-entropy.</summary>
    Loss,
    Other,
}

/// <param name="Part">Which.</param>
/// <param name="Forward">Time in forward passes, without what other parts took inside it.</param>
/// <param name="Backward">Time in backward passes.</param>
public sealed record PartTime(ProfilePart Part, TimeSpan Forward, TimeSpan Backward, long ForwardCalls, long BackwardCalls);

/// <summary>Counters of the whole process.</summary>
public static class KernelProfile
{
    private const int Parts = 8;

    /// <summary>Counting from zero on, or off.</summary>
    public static void Enable(bool isEnabled) => NativeMethods.lb_profile_enable(isEnabled ? 1 : 0);

    public static unsafe IReadOnlyList<PartTime> Read()
    {
        long[] nanoseconds = new long[2 * Parts];
        long[] calls = new long[2 * Parts];
        fixed (long* times = nanoseconds, counts = calls) NativeMethods.lb_profile_read(times, counts, 2 * Parts);
        return [.. Enumerable.Range(0, Parts).Select(i => new PartTime((ProfilePart)i, Time(nanoseconds[i]), Time(nanoseconds[Parts + i]), calls[i], calls[Parts + i]))];
    }

    private static TimeSpan Time(long nanoseconds) => TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
}
