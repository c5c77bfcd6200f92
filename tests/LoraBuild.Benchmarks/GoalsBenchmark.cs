// Every goal for speed and memory beside what is reached, each figure from a process of its own.
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using LoraBuild.Engine.Training;

namespace LoraBuild.Benchmarks;

internal static class GoalsBenchmark
{
    private const double LeastShare = 0.80;
    private const double MostLoadTimes = 1.5;
    private const int TokensOfFixedStep = 1024;

    /// <summary>NaN stands for a figure that was not measured.</summary>
    public static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    /// <summary>Half of what transformers + PEFT need on the same machine, in bytes; shapes that were not measured there have none.</summary>
    private static long? MostBytes(ModelShape shape, bool isRagged) => shape == ModelShape.SmolLM2 ? (isRagged ? 2_300_000_000 : 1_400_000_000) : null;

    /// <returns>0; 1 where a goal is missed.</returns>
    public static int Run(int steps, int threads, string scratch, TextWriter output)
    {
        List<(string What, string Reached, string Goal, bool? IsMet)> rows = [];
        foreach (ModelShape shape in ModelShape.All)
        {
            foreach (bool isRagged in new[] { false, true })
            {
                string name = $"{shape.Name}, {(isRagged ? "ragged" : "fixed, 4 × 256")}";
                string[] arguments = ["train-step", "--shape", shape.Name, "--steps", Text(steps), "--threads", Text(threads), "--json", .. isRagged ? ["--ragged"] : Array.Empty<string>()];
                TrainStepResult speed = Result(arguments);
                rows.Add(($"{name}: useful / sgemm", string.Create(CultureInfo.InvariantCulture, $"{speed.Share:F2} ({speed.LowestShare:F2} – {speed.HighestShare:F2}; {speed.TokensPerSecond:F0} tokens/s, sgemm {speed.GemmRate / 1e9:F0} GFLOP/s)"), "≥ 0.80", speed.Share >= LeastShare));
                TrainStepResult memory = Result([.. arguments, "--without-sgemm"]);
                long? most = MostBytes(shape, isRagged);
                rows.Add(($"{name}: peak memory", Megabytes(memory.PeakBytes), most is null ? "—" : $"≤ {Megabytes(most.Value)}", most is null ? null : memory.PeakBytes <= most));
            }

            long chunk = Math.Min(TokensOfFixedStep, HeadCrossEntropy.RowsOfChunk(shape.Vocabulary));
            rows.Add(($"{shape.Name}: rows of logits at once, of {TokensOfFixedStep} tokens", Text(chunk), $"< {TokensOfFixedStep}", chunk < TokensOfFixedStep));
        }

        rows.Add(Load(scratch));
        output.WriteLine("| what | reached | goal | |");
        output.WriteLine("|---|---|---|---|");
        foreach ((string what, string reached, string goal, bool? isMet) in rows)
            output.WriteLine($"| {what} | {reached} | {goal} | {(isMet is null ? string.Empty : isMet.Value ? "met" : "missed")} |");
        return rows.Exists(r => r.IsMet == false) ? 1 : 0;
    }

    private static (string What, string Reached, string Goal, bool? IsMet) Load(string scratch)
    {
        DirectoryInfo directory = Directory.CreateDirectory(Path.Combine(scratch, $"lorabuild-goals-{Environment.ProcessId}"));
        try
        {
            LoadBenchmark.Write(ModelShape.Qwen25, directory.FullName);
            LoadBenchmark.Result seconds = JsonSerializer.Deserialize<LoadBenchmark.Result>(Child(["load", "--directory", directory.FullName]))!;
            double times = seconds.Load / seconds.Read;
            return (
                $"{ModelShape.Qwen25.Name} in bf16: load to the first step / reading the file once",
                string.Create(CultureInfo.InvariantCulture, $"{times:F2} ({seconds.Load:F3} s, {seconds.Read:F3} s from the page cache; {seconds.FirstLoad:F2} s the first time in a process, {seconds.Library:F2} s for libtorch)"),
                "≤ 1.50", times <= MostLoadTimes);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static TrainStepResult Result(string[] arguments) => JsonSerializer.Deserialize<TrainStepResult>(Child(arguments), Json)!;

    /// <summary>The last line that this program prints when it is started with these arguments.</summary>
    public static string Child(IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!, arguments) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? text.Trim().Split('\n')[^1] : throw new InvalidOperationException($"{string.Join(' ', arguments)} ended with {process.ExitCode}");
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Megabytes(long bytes) => $"{Text(bytes / 1_000_000)} MB";
}
