namespace LoraBuild.Tasks.Tests;

public sealed class ProgressThrottleTests
{
    [Fact]
    public void The_first_line_is_shown_and_the_next_is_held_back()
    {
        ProgressThrottle throttle = new(TimeSpan.FromHours(1));
        Assert.Equal("a", throttle.Take("a"));
        Assert.Null(throttle.Take("b"));
        Assert.Null(throttle.Take("c"));
        Assert.Equal("c", throttle.TakeLast());
        Assert.Null(throttle.TakeLast());
    }

    [Fact]
    public void With_no_interval_every_line_is_shown()
    {
        ProgressThrottle throttle = new(TimeSpan.Zero);
        Assert.Equal("a", throttle.Take("a"));
        Assert.Equal("b", throttle.Take("b"));
        Assert.Null(throttle.TakeLast());
    }
}
