// From a model on disk to the moment before the first training step.
using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using System.Text.Json;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

internal static class LoadBenchmark
{
    /// <summary>Writes a model of this shape with random weights: 988 MB of qwen2.5-0.5b.</summary>
    public static void Write(ModelShape shape, string directory, TensorDtype dtype = TensorDtype.BF16)
    {
        shape.WriteConfig(directory);
        using CausalLM model = CausalLM.Load(directory, new LoadOptions { RandomWeights = true, Seed = 1 });
        model.SaveWeights(directory, dtype);
    }

    /// <param name="Load">Seconds from the directory to a model with an adapter whose first step can begin, and of touching every page of its file through a mapping, which the first step does.</param>
    /// <param name="Read">Of reading the file once, from the page cache as the mapping is.</param>
    /// <param name="FirstLoad">As <paramref name="Load"/>, the first time in the process, when our code is compiled. It does not grow with the model.</param>
    /// <param name="Library">Of starting libtorch.</param>
    public sealed record Result(double Load, double Read, double FirstLoad, double Library);

    /// <summary>Prints a <see cref="Result"/>, of a process of its own.</summary>
    public static void Run(string directory, TextWriter output)
    {
        _ = ReadSeconds(directory); // into the page cache
        double read = ReadSeconds(directory);
        long start = Stopwatch.GetTimestamp();
        zeros(1).Dispose();
        double library = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double first = LoadSeconds(directory), load = LoadSeconds(directory), touch = TouchSeconds(directory);
        output.WriteLine(JsonSerializer.Serialize(new Result(load + touch, read, first + touch, library)));
    }

    private static double LoadSeconds(string directory)
    {
        long start = Stopwatch.GetTimestamp();
        using CausalLM model = CausalLM.Load(directory, new LoadOptions { HoldsStoredType = true });
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = ModelShape.Rank, LoraAlpha = ModelShape.Rank, LoraDropout = 0, TargetModules = ModelShape.Adapted, Seed = 1 });
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double TouchSeconds(string directory)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (string file in Directory.EnumerateFiles(directory, "*.safetensors"))
        {
            using MemoryMappedFile map = MemoryMappedFile.CreateFromFile(file, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            using MemoryMappedViewAccessor view = map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            long sum = 0;
            for (long at = 0; at < view.Capacity; at += Environment.SystemPageSize)
                sum += view.ReadByte(at);
            GC.KeepAlive(sum);
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
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
