// A training run that is killed again and again, as SIGKILL does it, ends with the bytes of one that was left alone.
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LoraBuild.Tests.Shared;
using Xunit.Abstractions;

namespace LoraBuild.EndToEnd.Tests;

public sealed class KilledTrainingTests(ITestOutputHelper output)
{
    private const int Seed = 5; // of the moments
    private const int Steps = 400; // ten pieces of this are longer than what a busy machine reads late
    private const int StepsOfPiece = 30; // of the run, before a kill
    private const int SaveSteps = 3;
    private const int EvalSteps = 7;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>What is waited for before the kill, and how many milliseconds at most pass then. The run goes on past the line that is waited for while the line is read; each kill therefore waits for the next of its kind, from a random step on.</summary>
    private static readonly (string What, Predicate<Told>? Until, int MostMilliseconds)[] Moments =
    [
        ("loading", null, 700),
        ("steps", told => told.IsStep, 40),
        ("a checkpoint", told => told.IsStep && told.Step % SaveSteps == 0, 3),
        ("an evaluation", told => told.IsStep && told.Step % EvalSteps == 0, 6),
        ("answers", told => !told.IsStep, 10),
        ("after an evaluation", told => !told.IsStep, 3),
        ("loading", null, 1500),
        ("steps", told => told.IsStep, 40),
        ("a checkpoint", told => told.IsStep && told.Step % SaveSteps == 0, 3),
        ("the last writes", told => told.IsStep && told.Step == Steps, 60),
    ];

    [Fact]
    public void Ten_kills_at_random_moments_change_no_byte_of_the_adapter()
    {
        using TemporaryPipeline pipeline = new(Steps);
        Assert.Equal(0, Finish(pipeline, "whole", out _));

        Random random = new(Seed);
        int kills = 0;
        for (int i = 0; i < Moments.Length; i++)
        {
            (string what, Predicate<Told>? until, int most) = Moments[i];
            int milliseconds = random.Next(most + 1);
            int least = (i * StepsOfPiece) + random.Next(StepsOfPiece);
            string state = KillAt(pipeline, "out", until is null ? null : told => told.Step >= least && until(told), milliseconds);
            output.WriteLine($"{what} from step {least} on + {milliseconds} ms: {state}");
            kills += state == "it had ended" ? 0 : 1;
        }

        Assert.True(kills >= 8, $"only {kills} of {Moments.Length} kills came in time");
        Assert.Equal(0, Finish(pipeline, "out", out string log));
        Assert.Equal(Files(pipeline.In("whole", "adapter")), Files(pipeline.In("out", "adapter")));
        Assert.Equal(Metrics(pipeline.In("whole", "metrics.jsonl")), Metrics(pipeline.In("out", "metrics.jsonl")));
        Assert.Equal(Enumerable.Range(1, Steps), StepsOf(pipeline.In("out", "metrics.jsonl"), "loss"));
        Assert.Equal(File.ReadAllText(pipeline.In("whole", "samples.jsonl")), File.ReadAllText(pipeline.In("out", "samples.jsonl")));
        foreach (string tag in new[] { "train/loss", "eval/loss", "samples/1" })
            Assert.Equal(EventSteps(pipeline.In("whole", "tensorboard"), tag), EventSteps(pipeline.In("out", "tensorboard"), tag));
        Assert.Equal(Names(pipeline.In("whole")), Names(pipeline.In("out")));
        output.WriteLine(log);
    }

    /// <summary>Starts the run, waits, kills it.</summary>
    /// <returns>What stood there then.</returns>
    private static string KillAt(TemporaryPipeline pipeline, string directory, Predicate<Told>? until, int milliseconds)
    {
        using Process process = Start(pipeline, directory, out StringBuilder text);
        Stopwatch watch = Stopwatch.StartNew();
        while (until is not null && !process.HasExited && !Lines(Read(text)).Any(l => until(l)))
        {
            Assert.True(watch.Elapsed < Patience, $"what is waited for does not come:\n{Read(text)}");
            Thread.Sleep(1);
        }

        if (process.WaitForExit(milliseconds))
            return "it had ended";
        process.Kill(); // SIGKILL
        process.WaitForExit();
        if (process.ExitCode == 0)
            return "it had ended";
        string checkpoints = pipeline.In(directory, "checkpoints");
        string[] there = Directory.Exists(checkpoints) ? [.. Directory.EnumerateDirectories(checkpoints).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)] : [];
        string[] told = Read(text).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return $"after “{(told.Length == 0 ? "" : told[^1])}”, with {string.Join(", ", there)}";
    }

    private static IEnumerable<Told> Lines(string text) => Regex.Matches(text, @"step (\d+)/\d+  (loss|held-out)")
        .Select(m => new Told(int.Parse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture), m.Groups[2].Value == "loss"));

    private static int Finish(TemporaryPipeline pipeline, string directory, out string log)
    {
        using Process process = Start(pipeline, directory, out StringBuilder text);
        Assert.True(process.WaitForExit(Patience), Read(text));
        process.WaitForExit();
        log = Read(text);
        return process.ExitCode;
    }

    private static Process Start(TemporaryPipeline pipeline, string directory, out StringBuilder text)
    {
        string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string program = Repository.In("artifacts", "bin", "LoraBuild.Worker", configuration, OperatingSystem.IsWindows() ? "lorabuild.exe" : "lorabuild");
        string[] changes = [$"train.save_steps={SaveSteps}", $"train.eval_steps={EvalSteps}", "adapter.lora_dropout=0.1", "train.sample_max_new_tokens=4"];
        return Dotnet.Start(
            pipeline.Directory, program, ["train", "--recipe", pipeline.Recipe, "--output", pipeline.In(directory), "--threads", "1", .. changes.SelectMany(c => new[] { "--set", c })], out text);
    }

    private static string Read(StringBuilder text)
    {
        lock (text)
            return text.ToString();
    }

    private static Dictionary<string, string> Files(string directory) =>
        Directory.EnumerateFiles(directory).ToDictionary(f => Path.GetFileName(f), f => Convert.ToHexString(File.ReadAllBytes(f)));

    /// <summary>All that there is but event files, whose number is that of the starts; what can be computed again; and files like .NAME.PID.tmp, which a kill in a rename's short time may leave.</summary>
    private static string[] Names(string directory) => [.. Directory.EnumerateFileSystemEntries(directory, "*", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(directory, f))
        .Where(f => !f.StartsWith("tensorboard", StringComparison.Ordinal) && !f.StartsWith("obj", StringComparison.Ordinal) && !Regex.IsMatch(f, @"(^|/)\.[^/]+\.\d+\.tmp$"))
        .Order(StringComparer.Ordinal)];

    private static IEnumerable<int> StepsOf(string file, string key) =>
        File.ReadLines(file).Select(line => JsonNode.Parse(line)!.AsObject()).Where(line => line.ContainsKey(key)).Select(line => (int)line["step"]!);

    /// <summary>All but what depends on the clock and the machine.</summary>
    private static string[] Metrics(string file) => [.. File.ReadLines(file).Select(line =>
    {
        JsonObject metrics = JsonNode.Parse(line)!.AsObject();
        metrics.Remove("tokens_per_second");
        metrics.Remove("peak_memory_bytes");
        return metrics.ToJsonString();
    })];

    private static IEnumerable<(long Step, string Value)> EventSteps(string directory, string tag) =>
        EventFileReader.ReadAll(directory).Where(e => e.Tag == tag).Select(e => (e.Step, e.Text ?? e.Scalar!.Value.ToString(CultureInfo.InvariantCulture)));

    /// <summary>A line of the log.</summary>
    /// <param name="IsStep">Else an evaluation.</param>
    private sealed record Told(int Step, bool IsStep);
}
