// Tokens per second of a step, and the time that the rest will take.
namespace LoraBuild.Engine.Training;

/// <summary>Measures for people; nothing that is computed depends on it.</summary>
internal sealed class ThroughputMeter(TimeProvider clock)
{
    private readonly long firstStart = clock.GetTimestamp();
    private long stepStart;
    private int steps;

    public void StepStarts() => stepStart = clock.GetTimestamp();

    /// <returns>Tokens per second of the step.</returns>
    public double StepEnds(long tokens)
    {
        steps++;
        double seconds = clock.GetElapsedTime(stepStart).TotalSeconds;
        return seconds > 0 ? tokens / seconds : 0;
    }

    /// <summary>From all steps so far, evaluations and checkpoints between them included.</summary>
    public TimeSpan TimeLeft(int stepsLeft) => steps == 0 ? TimeSpan.Zero : clock.GetElapsedTime(firstStart) / steps * stepsLeft;
}
