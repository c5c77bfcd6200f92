// Tokens per second of a step and since the last line, and the time that the rest will take.
namespace LoraBuild.Engine.Training;

/// <summary>Measures for people; nothing that is computed depends on it.</summary>
internal sealed class ThroughputMeter(TimeProvider clock)
{
    private readonly long firstStart = clock.GetTimestamp();
    private long stepStart;
    private int steps;
    private long lineTokens;
    private double lineSeconds;

    public void StepStarts() => stepStart = clock.GetTimestamp();

    /// <returns>Tokens per second of the step.</returns>
    public double StepEnds(long tokens)
    {
        steps++;
        double seconds = clock.GetElapsedTime(stepStart).TotalSeconds;
        lineTokens += tokens;
        lineSeconds += seconds;
        return seconds > 0 ? tokens / seconds : 0;
    }

    /// <summary>Tokens per second of all steps since the last line; evaluations and checkpoints between them do not count.</summary>
    /// <param name="isLine">The next mean begins after this.</param>
    public double Mean(bool isLine)
    {
        double mean = lineSeconds > 0 ? lineTokens / lineSeconds : 0;
        if (isLine)
            (lineTokens, lineSeconds) = (0, 0);
        return mean;
    }

    /// <summary>From all steps so far, evaluations and checkpoints between them included.</summary>
    public TimeSpan TimeLeft(int stepsLeft) => steps == 0 ? TimeSpan.Zero : clock.GetElapsedTime(firstStart) / steps * stepsLeft;
}
