// The live line: what it shows, what it leaves out where there is little room, and what it leaves on the terminal.
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Worker.Hosting;
using Spectre.Console;

namespace LoraBuild.Worker.Tests;

public sealed class TrainingBarTests
{
    [Fact]
    public void A_wide_line_has_everything()
    {
        TrainingBar bar = Filled();
        Assert.Equal("train  ━━━━━━━━━━━━━━━───────────────  50/100  loss 1.0100 ↘  █▇▇▆▆▅▄▄▃▂▂▁  lr 9.1E-05  1,204 tokens/s  812 MB  1:23 left", Plain(bar, 140));
    }

    [Fact]
    public void A_narrow_line_keeps_what_matters_most()
    {
        TrainingBar bar = Filled();
        for (int width = 1; width <= 150; width++)
        {
            string line = Plain(bar, width);
            Assert.True(line.Length <= Math.Max(width, "train".Length), $"{width}: {line}");
            if (width >= 14)
                Assert.Contains("50/100", line, StringComparison.Ordinal);
        }

        Assert.Equal("train  50/100  loss 1.0100 ↘  1:23 left", Plain(bar, 45));
    }

    [Fact]
    public void A_skipped_step_has_no_loss_and_a_run_that_went_back_a_new_curve()
    {
        TrainingBar bar = Filled();
        JsonObject skipped = Values(51, 1);
        skipped["loss"] = null;
        bar.Update(skipped);
        Assert.Contains("loss –", Plain(bar, 140), StringComparison.Ordinal);
        bar.Update(Values(20, 3));
        Assert.Equal("train  20/100  loss 3.0000  1:23 left", Plain(bar, 45));
        Assert.DoesNotContain("█", Plain(bar, 140), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new[] { 1.0 }, ' ')]
    [InlineData(new[] { 2.0, 1 }, '↘')]
    [InlineData(new[] { 1.0, 2 }, '↗')]
    [InlineData(new[] { 1.0, 3, 1, 3 }, '→')]
    [InlineData(new[] { 9.0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1.001 }, '→')]
    [InlineData(new[] { 1.0, double.NaN, 2 }, '↗')]
    public void The_arrow_compares_the_last_steps_with_those_before(double[] losses, char arrow)
    {
        LossTrend trend = new();
        foreach (double loss in losses)
            trend.Add(loss);
        Assert.Equal(arrow, trend.Arrow);
    }

    [Fact]
    public void Messages_stand_above_the_line_which_goes_at_the_end()
    {
        using StringWriter terminal = new();
        using (TerminalReporter reporter = new(terminal, () => 60, hasColor: false, TimeProvider.System))
        {
            reporter.Message("before");
            reporter.Progress("train: step 1", Values(1, 5));
            reporter.Message("told");
            reporter.Report(Diagnostic.Warning("LB0616", "skipped"));
            reporter.Progress("fetch: half of it", new JsonObject { ["stage"] = "fetch" });
            reporter.Message("last");
        }

        Assert.Equal(["before", "told", "lorabuild: warning LB0616: skipped", "last", ""], Screen(terminal.ToString()));
        Assert.DoesNotContain("?25l", terminal.ToString(), StringComparison.Ordinal); // the cursor is never hidden
    }

    [Fact]
    public void While_it_runs_the_line_is_the_last_one_and_colour_is_a_choice()
    {
        foreach (bool hasColor in new[] { false, true })
        {
            using StringWriter terminal = new();
            using TerminalReporter reporter = new(terminal, () => 78, hasColor, TimeProvider.System);
            reporter.Progress("train: step 1", Values(1, 6));
            reporter.Progress("train: step 2", Values(2, 5));
            reporter.Message("told");
            Assert.Equal(["told", "train  2/100  loss 5.0000 ↘  lr 9.1E-05  1,204 tokens/s  812 MB  1:23 left"], Screen(terminal.ToString()));
            Assert.Equal(hasColor, terminal.ToString().Contains("\u001b[32m", StringComparison.Ordinal));
        }
    }

    private static TrainingBar Filled()
    {
        TrainingBar bar = new();
        for (int step = 1; step <= 50; step++)
            bar.Update(Values(step, 1.01 + (50 - step) / 10.0));
        return bar;
    }

    private static JsonObject Values(int step, double loss) => new()
    {
        ["stage"] = "train", ["step"] = step, ["steps"] = 100, ["loss"] = loss, ["learning_rate"] = 9.1e-5,
        ["tokens_per_second"] = 1204.2, ["peak_memory_bytes"] = 812_000_000L, ["seconds_left"] = 83.4,
    };

    private static string Plain(TrainingBar bar, int width) => Markup.Remove(bar.Markup(width));

    /// <summary>What a person would see: a carriage return with "erase line" empties the line that the cursor is in.</summary>
    private static string[] Screen(string written) => [.. written.Replace("\r\n", "\n", StringComparison.Ordinal).Split('\n')
        .Select(line => line.Split("\r\u001b[2K")[^1])
        .Select(line => Regex.Replace(line, @"\u001b\[[0-9;]*m", ""))];
}
