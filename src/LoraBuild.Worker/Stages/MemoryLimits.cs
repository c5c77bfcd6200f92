// What memory this process may use, as a text: what was found to fit counts where it is the same.
using System.Globalization;
using TorchSharp;

namespace LoraBuild.Worker.Stages;

internal static class MemoryLimits
{
    private const string ProcessLimits = "/proc/self/limits";

    /// <summary>The machine's name, the device, the memory (a container's, where it has less than the machine), and the limit of the address space where there is one.</summary>
    public static string Text(torch.Device device)
    {
        // proc(5): "Max address space         unlimited            unlimited            bytes"
        string? addressSpace = File.Exists(ProcessLimits) ? File.ReadLines(ProcessLimits).FirstOrDefault(l => l.StartsWith("Max address space", StringComparison.Ordinal)) : null;
        string limit = addressSpace?.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3] ?? "unlimited";
        return string.Create(CultureInfo.InvariantCulture, $"{Environment.MachineName}, {device}, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes} bytes, address space {limit}");
    }
}
