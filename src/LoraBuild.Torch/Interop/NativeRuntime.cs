// What TorchSharp's API does not tell of the process: which BLAS is loaded, how much memory is used, how many tensors live.
using System.Globalization;
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

/// <summary>The state of the native half. The first use of any member loads libtorch.</summary>
public static class NativeRuntime
{
    private static readonly Lazy<BlasLibrary> Blas = new(() =>
    {
        string config = TorchConfiguration; // loads libtorch, and its BLAS with it
        return BlasLibrary.Find(File.Exists("/proc/self/maps") ? File.ReadLines("/proc/self/maps") : [], config);
    });

    /// <summary>For example "1.13.1" or "2.14.1+cu130".</summary>
    public static string LibtorchVersion => Marshal.PtrToStringUTF8(NativeMethods.lb_torch_version());

    /// <summary>How libtorch was compiled, in its own words.</summary>
    public static string TorchConfiguration => Marshal.PtrToStringUTF8(NativeMethods.lb_torch_config());

    /// <summary>"OpenBLAS (openmp)", "OpenBLAS (pthread)", "reference BLAS", "MKL", …</summary>
    public static string BlasName => Blas.Value.Name;

    /// <summary>The library's file, or null where it is part of libtorch.</summary>
    public static string BlasPath => Blas.Value.Path;

    public static bool BlasIsOptimised => Blas.Value.IsOptimised;

    /// <summary>Whether the BLAS shares libtorch's OpenMP threads.</summary>
    public static bool BlasIsOpenMp => Blas.Value.IsOpenMp;

    /// <summary>LB0852 or LB0853 when the BLAS costs speed; otherwise null.</summary>
    public static string BlasWarningCode => Blas.Value.WarningCode;

    /// <summary>What the BLAS in use costs and the mending command; null when there is nothing to mend.</summary>
    public static string BlasWarning => Blas.Value.Warning;

    /// <summary>Whether the loaded libtorch was built with CUDA, whatever the machine has.</summary>
    public static bool LibtorchHasCuda
    {
        get
        {
            NativeCall.Check(NativeMethods.lb_cuda_is_built(out int result));
            return result != 0;
        }
    }

    /// <summary>The number of tensor references that the process holds.</summary>
    public static long LiveTensorCount => NativeMethods.lb_live_tensors();

    /// <summary>Bytes of large tensors: those alive, the most that were at once, and the memory that is reserved for them. Zeros where libtorch's own allocator is in use.</summary>
    public static (long Live, long MostLive, long Reserved) TensorBytes
    {
        get
        {
            NativeMethods.lb_allocator_state(out long live, out long mostLive, out long reserved);
            return (live, mostLive, reserved);
        }
    }

    /// <summary>Returns to the system what is reserved for large tensors and not in use; the most that was alive counts from now.</summary>
    public static void TrimTensorMemory() => NativeMethods.lb_allocator_trim();

    /// <summary>The most memory that the process ever had resident, in bytes; 0 where the system does not tell.</summary>
    public static long PeakResidentBytes => StatusBytes("VmHWM:");

    /// <summary>The memory that the process has resident now, in bytes; 0 where the system does not tell.</summary>
    public static long ResidentBytes => StatusBytes("VmRSS:");

    private static long StatusBytes(string key)
    {
        if (!File.Exists("/proc/self/status")) return 0;
        string line = File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal));
        // "VmHWM:    123456 kB"
        return line is null ? 0 : long.Parse(line[key.Length..].Replace("kB", string.Empty, StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture) * 1024;
    }
}
