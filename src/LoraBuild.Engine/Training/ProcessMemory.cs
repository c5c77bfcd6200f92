// How much memory this process has needed at most.
using System.Diagnostics;
using System.Globalization;

namespace LoraBuild.Engine.Training;

public static class ProcessMemory
{
    /// <summary>Peak resident set in bytes: VmHWM of /proc/self/status on Linux, the operating system's own figure elsewhere.</summary>
    public static long PeakBytes() => FromProcStatus() ?? FromProcess();

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
