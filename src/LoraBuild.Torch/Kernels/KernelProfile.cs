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
    Embedding,

    /// <summary>The head's products, forward and back, and the cross-entropy.</summary>
    Loss,

    /// <summary>Norm of the gradients and the update.</summary>
    Optimizer,

    /// <summary>What else a step does: additions of the residual stream and of gradients, the graph, preparing batches.</summary>
    Rest,

    /// <summary>Whole steps, which the parts before add up to: measured around one, its calls are counted here and for <see cref="Rest"/>.</summary>
    Step,

    /// <summary>Evaluations, which are no part of a step: as a whole, whatever kernels they call.</summary>
    Evaluation,
}

/// <param name="Part">Which.</param>
/// <param name="Forward">Time in forward passes, without what other parts took inside it.</param>
/// <param name="Backward">Time in backward passes.</param>
public sealed record PartTime(ProfilePart Part, TimeSpan Forward, TimeSpan Backward, long ForwardCalls, long BackwardCalls);

/// <summary>Counters of the whole process. A kernel counts while a step is measured, and outside of one not.</summary>
public static class KernelProfile
{
    private const int Parts = (int)ProfilePart.Evaluation + 1;

    private static volatile bool _isEnabled;

    /// <summary>Counting from zero on, or off.</summary>
    public static void Enable(bool isEnabled)
    {
        NativeMethods.lb_profile_enable(isEnabled ? 1 : 0);
        _isEnabled = isEnabled;
    }

    /// <summary>Counts the time until the result is disposed, on this thread, for a part's forward; what is measured inside it is not counted twice.</summary>
    public static Measurement Measure(ProfilePart part) => new(_isEnabled ? NativeMethods.lb_profile_begin((int)part) : 0);

    public static unsafe IReadOnlyList<PartTime> Read()
    {
        long[] nanoseconds = new long[2 * Parts];
        long[] calls = new long[2 * Parts];
        fixed (long* times = nanoseconds, counts = calls) NativeMethods.lb_profile_read(times, counts, 2 * Parts);
        return [.. Enumerable.Range(0, Parts).Select(i => new PartTime((ProfilePart)i, Time(nanoseconds[i]), Time(nanoseconds[Parts + i]), calls[i], calls[Parts + i]))];
    }

    private static TimeSpan Time(long nanoseconds) => TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);

    /// <summary>A running measurement; nothing where counting is off.</summary>
    public readonly struct Measurement(nint timed) : IDisposable
    {
        public void Dispose()
        {
            if (timed != 0) NativeMethods.lb_profile_end(timed);
        }
    }
}
