// Lets one progress line through an interval, and the last one always.
using System.Diagnostics;

namespace LoraBuild.Tasks;

public sealed class ProgressThrottle(TimeSpan interval)
{
    private long lastTaken = long.MinValue;
    private string? held;

    /// <summary>The line, when it is time for one; else null, and the line is held back as the possible last.</summary>
    public string? Take(string line)
    {
        long now = Stopwatch.GetTimestamp();
        if (lastTaken != long.MinValue && Stopwatch.GetElapsedTime(lastTaken, now) < interval)
        {
            held = line;
            return null;
        }

        lastTaken = now;
        held = null;
        return line;
    }

    /// <summary>The line that was held back last, or null when the newest line was shown.</summary>
    public string? TakeLast()
    {
        string? line = held;
        held = null;
        return line;
    }
}
