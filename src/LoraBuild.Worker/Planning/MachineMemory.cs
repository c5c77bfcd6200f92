// How much memory this process may still take: what the machine has, what its control groups allow, what its own limit leaves.
using System.Globalization;

namespace LoraBuild.Worker.Planning;

/// <param name="Bytes">That the process may have, with what it holds already.</param>
/// <param name="Reason">What says so.</param>
/// <param name="IsNoticed">An allocation beyond it fails and training cuts its steps; false: the process is killed.</param>
internal sealed record MemoryLimit(long Bytes, string Reason, bool IsNoticed);

/// <param name="read">Text of a file under /proc or /sys, or null where there is none.</param>
internal sealed class MachineMemory(Func<string, string?> read)
{
    private const string GroupRoot = "/sys/fs/cgroup";
    private const long BytesOfKibibyte = 1024;

    public static MachineMemory OfThisMachine { get; } = new(path => File.Exists(path) ? File.ReadAllText(path) : null);

    /// <summary>Bytes resident now, as the runtime knows them where the system has no /proc.</summary>
    public long ResidentBytes => Kibibytes("/proc/self/status", "VmRSS:") ?? Environment.WorkingSet;

    /// <summary>The least of the three beside what is resident now; null where the system says none of them.</summary>
    public MemoryLimit? Available()
    {
        List<MemoryLimit> limits = [];
        if (Kibibytes("/proc/meminfo", "MemAvailable:") is long free)
            limits.Add(new MemoryLimit(free, "the machine has so much left (MemAvailable)", IsNoticed: false));
        if (GroupBytes() is long group)
            limits.Add(new MemoryLimit(group, "the control group allows no more (memory.max)", IsNoticed: false));
        if (AddressBytes() is long address)
            limits.Add(new MemoryLimit(address, "the limit of the process's address space allows no more (ulimit -v)", IsNoticed: true));
        MemoryLimit? least = limits.MinBy(l => l.Bytes);
        return least is null ? null : least with { Bytes = Math.Max(0, least.Bytes) + ResidentBytes };
    }

    // cgroups(7): version 2 has one line "0::/path"; each group above limits, too. A container sees its own group as the root.
    private long? GroupBytes()
    {
        string path = read("/proc/self/cgroup")?.Split('\n').FirstOrDefault(l => l.StartsWith("0::", StringComparison.Ordinal))?[3..].TrimEnd('/') ?? "";
        List<long> left = [];
        while (true)
        {
            if (Number(read($"{GroupRoot}{path}/memory.max")) is long most && Number(read($"{GroupRoot}{path}/memory.current")) is long used)
                left.Add(most - used + (FieldOf(read($"{GroupRoot}{path}/memory.stat"), "inactive_file") ?? 0));
            if (path.Length == 0)
                break;
            path = path[..path.LastIndexOf('/')];
        }

        const long unlimited = 1L << 60; // version 1 writes its largest number
        if (Number(read($"{GroupRoot}/memory/memory.limit_in_bytes")) is long limit && limit < unlimited && Number(read($"{GroupRoot}/memory/memory.usage_in_bytes")) is long usage)
            left.Add(limit - usage + (FieldOf(read($"{GroupRoot}/memory/memory.stat"), "total_inactive_file") ?? 0));
        return left.Count == 0 ? null : left.Min();
    }

    // proc(5): "Max address space      unlimited            unlimited            bytes"
    private long? AddressBytes()
    {
        const string name = "Max address space";
        string? line = read("/proc/self/limits")?.Split('\n').FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
        return Number(line?[name.Length..].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).FirstOrDefault()) is long limit && Kibibytes("/proc/self/status", "VmSize:") is long used
            ? limit - used
            : null;
    }

    private long? Kibibytes(string file, string field) => FieldOf(read(file), field) is long value ? value * BytesOfKibibyte : null;

    private static long? FieldOf(string? text, string field)
    {
        foreach (string line in text?.Split('\n') ?? [])
        {
            string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 2 && words[0] == field)
                return Number(words[1]);
        }

        return null;
    }

    private static long? Number(string? text) => long.TryParse(text?.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;
}
