// What training was planned to need, and what it needed: `lorabuild train` in a process of its own for each case.
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Training;

namespace LoraBuild.Benchmarks;

internal static partial class MemoryBenchmark
{
    private const int MicroBatchesOfRun = 3;

    /// <param name="pattern">Regular expression over the names of cases.</param>
    /// <param name="program">lorabuild.</param>
    /// <param name="directory">Models (made once) and a folder for each case, with train.log.</param>
    /// <returns>0; 1 where a plan is more than a tenth off, or a run failed.</returns>
    public static int Run(string pattern, string program, string directory, int threads, TextWriter output)
    {
        output.WriteLine("| run | measured MB | predicted MB | | parts |");
        output.WriteLine("|---|---|---|---|---|");
        bool isWithin = true;
        foreach (MemoryCase item in MemoryCases.Everything.Where(c => Regex.IsMatch(c.Name, pattern)))
        {
            Match line = PeakLine().Match(Train(item, program, directory, threads));
            if (!line.Success)
            {
                output.WriteLine($"| {item.Name} | failed: {Path.Combine(directory, Folder(item.Name), "train.log")} |");
                isWithin = false;
                continue;
            }

            double ratio = (Number(line.Groups["predicted"]) / Number(line.Groups["measured"])) - 1;
            isWithin &= Math.Abs(ratio) <= 0.1;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {item.Name} | {line.Groups["measured"]} | {line.Groups["predicted"]} | {ratio:+0.0 %;−0.0 %;0.0 %} | {line.Groups["parts"]} |"));
        }

        return isWithin ? 0 : 1;
    }

    private static string Train(MemoryCase item, string program, string directory, int threads)
    {
        string folder = Path.Combine(directory, Folder(item.Name));
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        string model = ModelOf(item, directory);
        Directory.CreateDirectory(Path.Combine(folder, "tokens"));
        TokensFile.Write(Path.Combine(folder, "tokens", "train.safetensors"), Documents(item.Shape, [.. Enumerable.Repeat(item.Lengths, MicroBatchesOfRun).SelectMany(l => l)], item.IsOfPairs));
        if (item.Evaluation.Length > 0)
            TokensFile.Write(Path.Combine(folder, "tokens", "eval.safetensors"), Documents(item.Shape, item.Evaluation, item.IsOfPairs));
        int units = item.IsOfPairs ? item.Lengths.Length / 2 : item.Lengths.Length;
        string recipe = Path.Combine(folder, "recipe.yaml");
        File.WriteAllText(recipe, $$"""
            base: { model: "{{model}}", {{item.Base}} }
            dataset: { sources: [{ path: given.safetensors, format: tokens }] }
            template: { packing: false, max_length: 1024 }
            adapter: { {{item.Adapter}} }
            train: { {{(item.Train.Length == 0 ? "" : item.Train + ", ")}}max_steps: {{MicroBatchesOfRun}}, gradient_accumulation_steps: 1, per_device_train_batch_size: {{units}}, shuffle: false }
            export: { gguf: [] }
            """);
        ProcessStartInfo start = new(program, ["train", "--recipe", recipe, "--output", folder, "--threads", threads.ToString(CultureInfo.InvariantCulture), "--device", "cpu"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string text = process.StandardOutput.ReadToEnd() + error.Result;
        process.WaitForExit();
        File.WriteAllText(Path.Combine(folder, "train.log"), text);
        Directory.Delete(Path.Combine(folder, "checkpoints"), recursive: true);
        return process.ExitCode == 0 ? text : "";
    }

    /// <summary>config.json, and the weights where a case reads them.</summary>
    private static string ModelOf(MemoryCase item, string directory)
    {
        string model = Path.Combine(directory, item.Shape.Name + (item.HasFile ? "-bf16" : ""));
        if (Directory.Exists(model))
            return model;
        Directory.CreateDirectory(model);
        if (item.HasFile)
            LoadBenchmark.Write(item.Shape, model);
        else
            item.Shape.WriteConfig(model);
        return model;
    }

    private static TokenDocuments Documents(ModelShape shape, int[] lengths, bool arePairs)
    {
        DeterministicRandom random = new(1);
        long[] offsets = new long[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
            offsets[i + 1] = offsets[i] + lengths[i];
        int[] ids = [.. Enumerable.Range(0, (int)offsets[^1]).Select(_ => random.Next(shape.Vocabulary))];
        return new TokenDocuments(ids, ids, offsets) { IsPairs = arePairs };
    }

    private static string Folder(string name) => Regex.Replace(name, "[^a-z0-9]+", "-");

    private static double Number(Group text) => double.Parse(text.Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);

    // Of MemoryCheck.Compare.
    [GeneratedRegex(@"peak memory (?<measured>[0-9,]+) MB, predicted (?<predicted>[0-9,]+) MB \([^;]*; (?<parts>.*)\)")]
    private static partial Regex PeakLine();
}
