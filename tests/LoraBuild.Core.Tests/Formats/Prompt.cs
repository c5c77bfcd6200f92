// Time limits that hold on a machine which has other things to do.
using System.Diagnostics;

namespace LoraBuild.Core.Tests.Formats;

internal static class Prompt
{
    /// <summary>How often a call may be held up by others before it counts as slow.</summary>
    public const int Attempts = 5;

    /// <summary>What takes longer at every attempt walks through what a file claims instead of refusing it.</summary>
    public static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(1);

    /// <summary>The shortest time that <paramref name="call"/> took; it is called again only while it was slow.</summary>
    public static TimeSpan BestOf(Action call)
    {
        TimeSpan best = TimeSpan.MaxValue;
        for (int attempt = 0; attempt < Attempts && best >= MaxTime; attempt++)
        {
            long start = Stopwatch.GetTimestamp();
            call();
            TimeSpan taken = Stopwatch.GetElapsedTime(start);
            best = taken < best ? taken : best;
        }

        return best;
    }
}
