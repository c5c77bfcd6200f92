// Which exceptions say that memory ran out, what they tell, and how the next try gets all there is.
#if NATIVE_KERNELS
using LoraBuild.Torch.Native;
#endif
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace LoraBuild.Engine.Training.Memory;

/// <summary>libtorch has no exception type for it that crosses into .NET: its sentences are what there is.</summary>
public static partial class OutOfMemory
{
    private static readonly string[] Sentences =
    [
        "no memory is left for tensors", // our own allocator of large tensors
        "DefaultCPUAllocator: can't allocate memory", // c10/core/impl/alloc_cpu.cpp, Linux
        "DefaultCPUAllocator: not enough memory", // the same, Windows
        "CUDA out of memory", // c10/cuda/CUDACachingAllocator.cpp
        "CUDA error: out of memory", // cudaErrorMemoryAllocation from elsewhere
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDNN_STATUS_ALLOC_FAILED",
        "std::bad_alloc",
    ];

    public static bool Is(Exception exception) => exception switch
    {
        OutOfMemoryException => true,
        ExternalException e => e.Message == "out of memory" // std::bad_alloc as our native half tells it
            || Array.Exists(Sentences, s => e.Message.Contains(s, StringComparison.Ordinal))
            || (e.Message.Contains("unable to mmap", StringComparison.Ordinal) && e.Message.Contains("(12)", StringComparison.Ordinal)), // ENOMEM
        _ => false,
    };

    /// <summary>Does work that memory may run out in. Null: it is done. Otherwise how memory ran out; what the failed work held has gone back to the system, so that the next try has all there is.</summary>
    public static Exception? During(Action work)
    {
        Exception failure;
        try
        {
            work();
            return null;
        }
        catch (Exception e) when (Is(e))
        {
            failure = e;
        }

        ReleaseUnused();
        return failure;
    }

    /// <summary>Gives back what tensors held that nobody can reach any more, and what is kept for sizes that may not come again.</summary>
    public static void ReleaseUnused()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers(); // tensors that wait for the finalizer hold memory
#if NATIVE_KERNELS
        NativeRuntime.TrimTensorMemory();
#endif
    }

    /// <summary>How many bytes were asked for; null where the message does not say.</summary>
    public static long? BytesAskedFor(Exception exception)
    {
        // "you tried to allocate 1234 bytes." (CPU), "Tried to allocate 2.50 GiB" (CUDA)
        Match match = Asked().Match(exception.Message);
        if (!match.Success || !double.TryParse(match.Groups[1].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number))
            return null;
        int power = "KMGT".IndexOf(match.Groups[2].Value[0], StringComparison.Ordinal) + 1; // bytes: 0
        return (long)(number * Math.Pow(1024, power));
    }

    [GeneratedRegex(@"[Tt]ried to allocate ([0-9.]+) (bytes|KiB|MiB|GiB|TiB)")]
    private static partial Regex Asked();
}
