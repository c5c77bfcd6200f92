// How much memory this process has needed at most, on the machine or on a device.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using System.Diagnostics;
using System.Globalization;
using TorchSharp;

namespace LoraBuild.Engine.Training;

public static class ProcessMemory
{
    /// <summary>Peak resident set in bytes: VmHWM of /proc/self/status on Linux, the operating system's own figure elsewhere.</summary>
    public static long PeakBytes() => FromProcStatus() ?? FromProcess();

    /// <summary>Where a model on that device computes: of a CUDA device the most bytes that tensors took there, else the process's own peak.</summary>
    public static long PeakBytes(torch.Device device)
    {
#if NATIVE_KERNELS
        if (DeviceMemory.Of(device) is { } memory)
            return memory.PeakAllocatedBytes;
#endif
        return device.type == DeviceType.CPU ? PeakBytes() : 0; // TorchSharp does not tell what a device holds
    }

    private static long? FromProcStatus()
    {
        const string path = "/proc/self/status";
        if (!File.Exists(path))
            return null;
        foreach (string line in File.ReadLines(path))
        {
            if (!line.StartsWith("VmHWM:", StringComparison.Ordinal))
                continue;
            // proc(5): "VmHWM:     123456 kB"
            string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return words.Length >= 2 && long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long kibibytes) ? kibibytes * 1024 : null;
        }

        return null;
    }

    private static long FromProcess()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
