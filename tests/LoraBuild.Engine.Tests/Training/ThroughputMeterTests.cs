// Speeds by a clock that the test sets.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class ThroughputMeterTests
{
    [Fact]
    public void The_mean_is_over_the_steps_since_the_last_line()
    {
        SetClock clock = new();
        ThroughputMeter meter = new(clock);
        Assert.Equal((100, 100), Step(tokens: 100, seconds: 1, isLine: false));
        Assert.Equal((50, 75), Step(tokens: 50, seconds: 1, isLine: false));
        clock.Now += TimeSpan.FromSeconds(50); // an evaluation
        Assert.Equal((25, 50), Step(tokens: 50, seconds: 2, isLine: true));
        Assert.Equal((30, 30), Step(tokens: 60, seconds: 2, isLine: true));

        (double, double) Step(long tokens, int seconds, bool isLine)
        {
            meter.StepStarts();
            clock.Now += TimeSpan.FromSeconds(seconds);
            return (meter.StepEnds(tokens), meter.Mean(isLine));
        }
    }

    private sealed class SetClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
