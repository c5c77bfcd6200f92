// Builds that are killed, cancelled or run twice at once: the next one completes, with the bytes of one that was left alone.
using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace LoraBuild.EndToEnd.Tests;

public sealed class InterruptedBuildTests
{
    // Long enough to be caught in the middle on any machine.
    private const int ManySteps = 400;

    [Fact]
    public void After_a_kill_of_the_worker_the_next_build_completes_with_the_same_bytes()
    {
        using TemporaryPipeline pipeline = new(ManySteps);
        using Process build = Start(pipeline, out StringBuilder output);
        WaitForStep(output, 20);
        foreach (Process worker in WorkersOf(pipeline))
            worker.Kill();
        Assert.True(build.WaitForExit(TimeSpan.FromMinutes(1)));
        build.WaitForExit();
        Assert.Equal(1, build.ExitCode);
        Assert.Contains("error LB0911", output.ToString(), StringComparison.Ordinal);
        Assert.Equal(["PrepareDataset", "ApplyChatTemplate"], pipeline.FinishedStages());
        Assert.False(Directory.Exists(pipeline.Out("adapter")));

        BuildResult next = pipeline.Build();
        Assert.True(next.ExitCode == 0, next.Output);
        Assert.Matches(@"goes on after step \d+", next.Output);
        SortedDictionary<string, string> resumed = pipeline.Snapshot();

        Assert.Equal(0, pipeline.Build("-t:Rebuild").ExitCode);
        Assert.Equal(pipeline.Snapshot(), resumed);
    }

    [Fact]
    public void When_MSBuild_dies_the_worker_checkpoints_and_leaves()
    {
        using TemporaryPipeline pipeline = new(ManySteps);
        using Process build = Start(pipeline, out StringBuilder output);
        WaitForStep(output, 20);
        Process[] workers = WorkersOf(pipeline);
        Assert.NotEmpty(workers);

        // MSBuild and the host of its tasks, not the worker.
        foreach (Process process in Children(build.Id).Append(build).Where(p => workers.All(w => w.Id != p.Id)))
            process.Kill();
        foreach (Process worker in workers)
            Assert.True(worker.WaitForExit(TimeSpan.FromSeconds(30)), "the worker went on alone");
        Assert.NotEmpty(Directory.EnumerateDirectories(pipeline.Out("checkpoints"), "step-*"));
        Assert.Equal(["PrepareDataset", "ApplyChatTemplate"], pipeline.FinishedStages());
        BuildResult next = pipeline.Build("-t:TrainAdapter");
        Assert.True(next.ExitCode == 0, next.Output);
        Assert.Matches(@"goes on after step \d+", next.Output);
    }

    [Fact]
    public void Two_builds_at_once_wait_for_one_another()
    {
        using TemporaryPipeline pipeline = new();
        using Process one = Start(pipeline, out StringBuilder first);
        using Process two = Start(pipeline, out StringBuilder second);
        Assert.True(one.WaitForExit(TimeSpan.FromMinutes(3)));
        Assert.True(two.WaitForExit(TimeSpan.FromMinutes(3)));
        one.WaitForExit();
        two.WaitForExit();
        Assert.True(one.ExitCode == 0, first.ToString());
        Assert.True(two.ExitCode == 0, second.ToString());
        Assert.Empty(TemporaryPipeline.Ran(pipeline.Build()));
    }

    private static Process Start(TemporaryPipeline pipeline, out StringBuilder output) =>
        Dotnet.Start(pipeline.Directory, "dotnet", ["build", "x.proj", "-tl:off", "-nologo"], out output);

    private static void WaitForStep(StringBuilder output, int step)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed < TimeSpan.FromMinutes(3))
        {
            string text;
            lock (output)
                text = output.ToString();
            if (Regex.Matches(text, @"step (\d+)/").Any(m => int.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) >= step))
                return;
            Thread.Sleep(20);
        }

        Assert.Fail($"training did not reach step {step}:\n{output}");
    }

    private static Process[] WorkersOf(TemporaryPipeline pipeline) =>
        [.. Process.GetProcessesByName("lorabuild").Where(p => CommandLine(p.Id).Contains(pipeline.Directory, StringComparison.Ordinal))];

    private static string CommandLine(int id)
    {
        string file = $"/proc/{id}/cmdline";
        return File.Exists(file) ? File.ReadAllText(file) : "";
    }

    private static IEnumerable<Process> Children(int parent)
    {
        foreach (Process process in Process.GetProcesses())
        {
            string file = $"/proc/{process.Id}/stat";
            if (!File.Exists(file))
                continue;

            // "PID (name) state parent …"; the name may hold blanks.
            string[] fields = File.ReadAllText(file).Split(')')[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (int.Parse(fields[1], System.Globalization.CultureInfo.InvariantCulture) != parent)
                continue;
            yield return process;
            foreach (Process child in Children(process.Id))
                yield return child;
        }
    }
}
