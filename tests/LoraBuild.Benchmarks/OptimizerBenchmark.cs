// One AdamW update: the fused pass over all trained tensors beside the same arithmetic in tensor calls.
using System.Diagnostics;
using System.Globalization;
using LoraBuild.Engine.Training.Optimizers;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

internal static class OptimizerBenchmark
{
    private const int Updates = 20;

    public static void Run(int threads, TextWriter output)
    {
        set_num_threads(threads);
        output.WriteLine("| trained | tensors | elements | fused ms | tensor calls ms |");
        output.WriteLine("|---|---|---|---|---|");
        Measure("LoRA r = 16 on q, k, v, o of 30 layers", [.. Enumerable.Repeat(new long[] { 16, 576 }, 240)], output);
        Measure("all weights of one layer, 12 times", [.. Enumerable.Repeat(new long[] { 1536, 576 }, 36)], output);
    }

    private static void Measure(string name, long[][] shapes, TextWriter output)
    {
        using DisposeScope scope = NewDisposeScope();
        TrainedParameter[] parameters = [.. shapes.Select((s, i) => new TrainedParameter($"{i}.weight", randn(s, dtype: ScalarType.Float32).requires_grad_(), 0.01, 1))];
        double fused = Median(parameters, isFused: true);
        double byTensors = Median(parameters, isFused: false);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {shapes.Length} | {shapes.Sum(s => s[0] * s[1]):N0} | {fused:F2} | {byTensors:F2} |"));
    }

    private static double Median(TrainedParameter[] parameters, bool isFused)
    {
        using ElementwiseOptimizer optimizer = new(new AdamWRule(0.9, 0.999, 1e-8), parameters, isFused);
        List<double> times = [];
        for (int i = 0; i <= Updates; i++)
        {
            foreach (TrainedParameter parameter in parameters)
            {
                using Tensor sum = parameter.Value.sum();
                sum.backward();
            }

            long start = Stopwatch.GetTimestamp();
            optimizer.CollectGradients();
            optimizer.Step(1e-4, 1);
            if (i > 0)
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return times.Order().ElementAt(times.Count / 2);
    }
}
