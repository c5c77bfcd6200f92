// A test of something that Linux alone tells.
namespace LoraBuild.Engine.Tests;

/// <summary>Skipped, and said so, where the kernel does not set a process's peak memory back.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PeakMemoryTheoryAttribute : TheoryAttribute
{
    public PeakMemoryTheoryAttribute()
    {
        if (!PeakMemory.CanBeReset)
            Skip = "needs /proc/self/clear_refs";
    }
}
