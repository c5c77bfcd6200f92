// One AdamW update: the fused pass over all trained tensors beside the same arithmetic in tensor calls, and beside 8-bit and paged state.
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
        output.WriteLine("| trained | tensors | elements | fused ms | tensor calls ms | 8-bit ms | paged ms | paged 8-bit ms |");
        output.WriteLine("|---|---|---|---|---|---|---|---|");
        Measure("LoRA r = 16 on q, k, v, o of 30 layers", [.. Enumerable.Repeat(new long[] { 16, 576 }, 240)], output);
        Measure("all weights of one layer, 12 times", [.. Enumerable.Repeat(new long[] { 1536, 576 }, 36)], output);
    }

    private static void Measure(string name, long[][] shapes, TextWriter output)
    {
        using DisposeScope scope = NewDisposeScope();
        TrainedParameter[] parameters = [.. shapes.Select((s, i) => new TrainedParameter($"{i}.weight", randn(s, dtype: ScalarType.Float32).requires_grad_(), 0.01, 1))];
        AdamWRule rule = new(0.9, 0.999, 1e-8);
        string pagingPath = Path.Combine(Path.GetTempPath(), "lorabuild-optimizer-benchmark.paged");
        Func<IOptimizer>[] kinds =
        [
            () => new ElementwiseOptimizer(rule, parameters),
            () => new ElementwiseOptimizer(rule, parameters, isFused: false),
            () => new HostStateAdamW(rule, parameters, is8Bit: true),
            () => new HostStateAdamW(rule, parameters, is8Bit: false, pagingPath),
            () => new HostStateAdamW(rule, parameters, is8Bit: true, pagingPath),
        ];
        string times = string.Join(" | ", kinds.Select(k => Median(parameters, k).ToString("F2", CultureInfo.InvariantCulture)));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {shapes.Length} | {shapes.Sum(s => s[0] * s[1]):N0} | {times} |"));
    }

    private static double Median(TrainedParameter[] parameters, Func<IOptimizer> create)
    {
        using IOptimizer optimizer = create();
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
