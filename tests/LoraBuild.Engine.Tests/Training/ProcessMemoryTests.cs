// Peak memory of this process.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class ProcessMemoryTests
{
    [Fact]
    public void The_peak_rises_with_what_is_touched_and_never_falls()
    {
        long before = ProcessMemory.PeakBytes();
        byte[] block = new byte[64 << 20];
        block.AsSpan().Fill(1);
        long after = ProcessMemory.PeakBytes();
        Assert.InRange(before, 1 << 20, 1L << 42);
        Assert.True(after >= before);
        GC.KeepAlive(block);
    }
}
