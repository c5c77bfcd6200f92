// Answers token by token over weights as their file has them and over widened ones: what each new token costs.
using System.Diagnostics;
using System.Globalization;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

internal static class GenerateBenchmark
{
    private const int PromptTokens = 256;

    /// <param name="dtype">Of the file: bf16 or fp16.</param>
    /// <param name="rounds">Each takes both forms once.</param>
    public static void Run(ModelShape shape, TensorDtype dtype, int newTokens, int rounds, int threads, TextWriter output)
    {
        set_num_threads(threads);
        DirectoryInfo directory = Directory.CreateTempSubdirectory("lorabuild-generate-");
        try
        {
            LoadBenchmark.Write(shape, directory.FullName, dtype);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{shape.Name}, a prompt of {PromptTokens} tokens and {newTokens} new ones, {threads} threads, the fastest of {rounds}."));
            output.WriteLine("| weights | prompt ms | ms a token | tokens/s |");
            output.WriteLine("|---|---|---|---|");
            using CausalLM wide = CausalLM.Load(directory.FullName, new LoadOptions());
            using CausalLM stored = CausalLM.Load(directory.FullName, new LoadOptions { HoldsStoredType = true });
            CausalLM[] models = [wide, stored];
            double[] prompt = [double.MaxValue, double.MaxValue], token = [double.MaxValue, double.MaxValue];
            for (int round = 0; round < rounds; round++)
            {
                for (int m = 0; m < models.Length; m++)
                {
                    (double first, double each) = Measure(models[m], newTokens);
                    prompt[m] = Math.Min(prompt[m], first);
                    token[m] = Math.Min(token[m], each);
                }
            }

            for (int m = 0; m < models.Length; m++)
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {(m == 0 ? "fp32" : dtype.SafetensorsName())} | {prompt[m]:F0} | {token[m]:F1} | {1000 / token[m]:F1} |"));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <returns>Milliseconds to the first token, and of each later one, the fastest.</returns>
    private static (double First, double Each) Measure(CausalLM model, int newTokens)
    {
        int[] ids = [.. Enumerable.Range(0, PromptTokens).Select(i => 5 + (i * 37 % 900))];
        double first = 0, each = double.MaxValue;
        long last = Stopwatch.GetTimestamp();
        TextGenerator.Generate(model, ids, new GenerationOptions { MaxNewTokens = newTokens + 1 }, _ =>
        {
            double time = Stopwatch.GetElapsedTime(last).TotalMilliseconds;
            if (first == 0)
                first = time;
            else
                each = Math.Min(each, time);
            last = Stopwatch.GetTimestamp();
        });
        return (first, each);
    }
}
