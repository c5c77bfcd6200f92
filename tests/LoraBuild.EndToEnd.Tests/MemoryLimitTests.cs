// Training under a real limit of the address space: the run gets smaller and ends well, or ends with what would fit.
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace LoraBuild.EndToEnd.Tests;

public sealed class MemoryLimitTests : IDisposable
{
    private const int StepKilobytes = 60_000;
    private const int MostAttempts = 8;

    // What .NET and malloc reserve beyond their need would hide the limit.
    private static readonly Dictionary<string, string> Environment = new()
    {
        ["DOTNET_GCHeapHardLimit"] = "0x8000000",
        ["DOTNET_GCRegionRange"] = "0x20000000",
        ["DOTNET_gcConcurrent"] = "0",
        ["DOTNET_EnableWriteXorExecute"] = "0",
        ["MALLOC_ARENA_MAX"] = "1",
    };

    private readonly string directory = Directory.CreateTempSubdirectory("lorabuild-memory-").FullName;

    public MemoryLimitTests()
    {
        string fixture = Repository.In("tests", "LoraBuild.EndToEnd.Tests", "fixtures", "tiny-model");
        Directory.CreateDirectory(In("model"));
        foreach (string file in Directory.EnumerateFiles(fixture))
            File.Copy(file, Path.Combine(In("model"), Path.GetFileName(file)));
        JsonObject config = JsonNode.Parse(File.ReadAllText(In("model", "config.json")))!.AsObject();
        (config["hidden_size"], config["num_hidden_layers"], config["intermediate_size"], config["max_position_embeddings"]) = (128, 12, 512, 32768);
        (config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]) = (4, 4, 32);
        File.WriteAllText(In("model", "config.json"), config.ToJsonString());
        WriteData("data.jsonl", Enumerable.Repeat(500, 16));
        WriteRecipe("recipe.yaml", "data.jsonl", 512, batchSize: 4);

        // Steps 1 and 2 are short documents, step 3 is one that no recomputation makes fit.
        WriteData("long.jsonl", [40, 40, 24_000, 40]);
        WriteRecipe("long.yaml", "long.jsonl", 32768, batchSize: 1);
    }

    [LinuxFact]
    public void A_micro_batch_that_does_not_fit_is_cut_and_what_can_not_be_cut_ends_the_run_with_figures_and_checkpoints()
    {
        Limited plain = Train("recipe.yaml", "plain", null);
        Assert.True(plain.ExitCode == 0, plain.Output);

        // What .NET reserves depends on the limit: find one that the plain micro-batches do not fit into.
        long limit = Train("recipe.yaml", "measured", plain.PeakKilobytes).PeakKilobytes;
        Limited? cut = null;
        for (int attempt = 0; attempt < MostAttempts && cut is not { IsCut: true }; attempt++)
        {
            limit -= StepKilobytes;
            cut = Train("recipe.yaml", $"cut-{attempt}", limit);
            Assert.True(cut.ExitCode == 0, $"limit {limit} kB:\n{cut.Output}");
        }

        Assert.True(cut!.IsCut, cut.Output);
        Assert.Matches(@"step 1: memory ran out in a pass of 2,0\d\d tokens \(4 documents\)", cut.Output);
        Assert.Contains("train.per_device_train_batch_size: 2, train.gradient_accumulation_steps: 2", cut.Output, StringComparison.Ordinal);
        foreach (((double Loss, double GradNorm) expected, (double Loss, double GradNorm) actual) in plain.Steps.Zip(cut.Steps))
        {
            Assert.Equal(expected.Loss, actual.Loss, 2e-5);
            Assert.Equal(expected.GradNorm, actual.GradNorm, expected.GradNorm * 2e-4);
        }

        Assert.True(File.Exists(In(cut.Name, "adapter", "adapter_model.safetensors")));

        // The same again: no failure first.
        Limited again = Train("recipe.yaml", cut.Name, limit, "--no-resume");
        Assert.True(again.ExitCode == 0, again.Output);
        Assert.Contains("LB0653", again.Output, StringComparison.Ordinal);
        Assert.False(again.IsCut, again.Output);
        Assert.Equal(cut.Steps, again.Steps);

        Limited impossible = Train("long.yaml", "impossible", limit);
        Assert.True(impossible.ExitCode == 1, impossible.Output);
        Assert.Contains("warning LB0651", impossible.Output, StringComparison.Ordinal);
        Assert.Matches(@"error LB0652: step 3: .*template\.max_length: \d+.*base\.quantization: nf4", impossible.Output);
        Assert.Equal(["step-1", "step-2"], Directory.EnumerateDirectories(In("impossible", "checkpoints")).Select(Path.GetFileName).Order());
    }

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private Limited Train(string recipe, string name, long? limitKilobytes, params string[] arguments)
    {
        string limit = limitKilobytes?.ToString(CultureInfo.InvariantCulture) ?? "unlimited";
        string program = Repository.In("artifacts", "bin", "LoraBuild.Worker", "release", "lorabuild");
        string command = $"ulimit -v {limit}; exec {program} train --recipe {recipe} --output {name} --threads 2 {string.Join(' ', arguments)}";
        using Process process = Dotnet.Start(directory, "bash", ["-c", command], out StringBuilder output, Environment);
        long peak = 0;
        Stopwatch watch = Stopwatch.StartNew();
        while (!process.WaitForExit(20))
        {
            peak = Math.Max(peak, PeakKilobytes(process.Id));
            Assert.True(watch.Elapsed < TimeSpan.FromMinutes(5), output.ToString());
        }

        process.WaitForExit();
        string metrics = In(name, "metrics.jsonl");
        (double, double)[] steps = [.. (File.Exists(metrics) ? File.ReadAllLines(metrics) : []).Select(l => JsonNode.Parse(l)!).Select(n => ((double)n["loss"]!, (double)n["grad_norm"]!))];
        lock (output)
            return new Limited(name, process.ExitCode, output.ToString(), peak, steps);
    }

    /// <summary>Of the address space; bash has become the program.</summary>
    private static long PeakKilobytes(int process)
    {
        try
        {
            // proc(5): "VmPeak:  123456 kB"
            string? line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(l => l.StartsWith("VmPeak:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0; // it has just ended
        }
    }

    private void WriteData(string name, IEnumerable<int> lengths)
    {
        Random random = new(1);
        File.WriteAllLines(In(name), lengths.Select(length => new JsonObject
        {
            ["text"] = string.Concat(Enumerable.Range(0, length).Select(_ => "abcdefgh ijklmnop"[random.Next(17)])),
        }.ToJsonString()));
    }

    private void WriteRecipe(string name, string data, int maxLength, int batchSize) => File.WriteAllText(In(name), string.Create(CultureInfo.InvariantCulture, $$$"""
        base: {model: model, weights: random}
        dataset: {sources: [{path: {{{data}}}, format: text}], split: {eval: 0}}
        template: {max_length: {{{maxLength}}}, packing: false, loss: all}
        adapter: {r: 8, target_modules: [q_proj, v_proj], lora_dropout: 0.1}
        train: {max_steps: 3, per_device_train_batch_size: {{{batchSize}}}, gradient_accumulation_steps: 1, learning_rate: 2.0e-4, save_steps: 1, shuffle: false, load_best_model_at_end: false}
        """));

    private string In(params string[] parts) => Path.Combine([directory, .. parts]);

    private sealed record Limited(string Name, int ExitCode, string Output, long PeakKilobytes, IReadOnlyList<(double Loss, double GradNorm)> Steps)
    {
        public bool IsCut => Output.Contains("warning LB0650", StringComparison.Ordinal);
    }
}

/// <summary>Skipped, and said so, where the kernel has no address-space limit and no /proc.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LinuxFactAttribute : FactAttribute
{
    public LinuxFactAttribute()
    {
        if (!OperatingSystem.IsLinux())
            Skip = "needs ulimit -v and /proc";
    }
}
