// From a model on disk to the moment before the first training step.
using System.Diagnostics;
using System.Globalization;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

internal static class LoadBenchmark
{
    /// <summary>Writes a model of this shape with random weights in bf16: 988 MB of qwen2.5-0.5b.</summary>
    public static void Write(ModelShape shape, string directory)
    {
        shape.WriteConfig(directory);
        using CausalLM model = CausalLM.Load(directory, new LoadOptions { RandomWeights = true, Seed = 1 });
        model.SaveWeights(directory, TensorDtype.BF16);
    }

    /// <summary>Prints the seconds to a model in fp32 with an adapter, every weight touched once, and those of reading the file once, each the second time it is done in a process of its own.</summary>
    public static void Run(string directory, TextWriter output)
    {
        _ = ReadSeconds(directory); // into the page cache, which both then read from
        double read = ReadSeconds(directory);
        long start = Stopwatch.GetTimestamp();
        using CausalLM model = CausalLM.Load(directory, new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = ModelShape.Rank, LoraAlpha = ModelShape.Rank, LoraDropout = 0, TargetModules = ModelShape.Adapted, Seed = 1 });
        using (IDisposable noGrad = no_grad())
        {
            foreach ((_, Tensor weight) in model.NamedParameters())
            {
                using Tensor sum = weight.sum();
            }
        }

        double load = Stopwatch.GetElapsedTime(start).TotalSeconds;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{load:R} {read:R}"));
    }

    private static double ReadSeconds(string directory)
    {
        byte[] buffer = new byte[1 << 22];
        long start = Stopwatch.GetTimestamp();
        foreach (string file in Directory.EnumerateFiles(directory, "*.safetensors"))
        {
            using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            while (stream.Read(buffer) > 0)
            {
            }
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
