// The least of machine, control groups and process limit is what there is.
using LoraBuild.Worker.Planning;

namespace LoraBuild.Worker.Tests.Planning;

public sealed class MachineMemoryTests
{
    private const string Status = "Name:\tx\nVmSize:\t 3000 kB\nVmRSS:\t 1000 kB\n";

    [Fact]
    public void Free_memory_counts_beside_what_is_resident()
    {
        (long bytes, string limit, bool isNoticed) = Of(("/proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    5000 kB\n"), ("/proc/self/status", Status)).Available()!;
        Assert.Equal(6000 * 1024, bytes);
        Assert.Contains("MemAvailable", limit, StringComparison.Ordinal);
        Assert.False(isNoticed);
    }

    [Theory]
    [InlineData("0::/\n", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat")]
    [InlineData("0::/a/b\n", "/sys/fs/cgroup/a/memory.max", "/sys/fs/cgroup/a/memory.current", "/sys/fs/cgroup/a/memory.stat")] // a group above limits too
    public void A_control_group_limits_and_its_reclaimable_pages_do_not_count(string group, string max, string current, string stat)
    {
        (long bytes, string limit, bool isNoticed) = Of(
            ("/proc/meminfo", "MemAvailable: 99999 kB\n"), ("/proc/self/status", Status), ("/proc/self/cgroup", group),
            ("/sys/fs/cgroup/a/b/memory.max", "max\n"), (max, "4096000\n"), (current, "2048000\n"), (stat, "anon 1\ninactive_file 1024\n")).Available()!;
        Assert.Equal(4096000 - 2048000 + 1024 + (1000 * 1024), bytes);
        Assert.Contains("control group", limit, StringComparison.Ordinal);
        Assert.False(isNoticed);
    }

    [Fact]
    public void A_limit_of_the_address_space_counts_beside_what_is_taken_of_it()
    {
        (long bytes, string limit, bool isNoticed) = Of(
            ("/proc/meminfo", "MemAvailable: 99999 kB\n"), ("/proc/self/status", Status),
            ("/proc/self/limits", "Limit      Soft Limit   Hard Limit   Units\nMax address space         5120000   unlimited    bytes\n")).Available()!;
        Assert.Equal(5120000 - (3000 * 1024) + (1000 * 1024), bytes);
        Assert.Contains("ulimit -v", limit, StringComparison.Ordinal);
        Assert.True(isNoticed); // an allocation fails, and steps are cut
    }

    [Fact]
    public void Unlimited_is_no_limit_and_without_proc_nothing_is_known()
    {
        Assert.Equal(
            6000 * 1024,
            Of(("/proc/meminfo", "MemAvailable: 5000 kB\n"), ("/proc/self/status", Status), ("/proc/self/limits", "Max address space         unlimited   unlimited    bytes\n"), ("/proc/self/cgroup", "0::/\n")).Available()!.Bytes);
        Assert.Null(Of().Available());
    }

    [Fact]
    public void This_machine_has_some()
    {
        if (OperatingSystem.IsLinux())
            Assert.True(MachineMemory.OfThisMachine.Available()!.Bytes > 10_000_000);
    }

    private static MachineMemory Of(params (string Path, string Text)[] files) =>
        new(path => files.FirstOrDefault(f => f.Path == path).Text);
}
