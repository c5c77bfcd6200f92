// Fused kernels beside the same arithmetic in tensor calls, in turns, so that both see the same moments of a shared machine.
using System.Diagnostics;
using System.Globalization;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

internal static class KernelBenchmark
{
    private static readonly int[] Fixed = [256, 256, 256, 256];
    private static readonly int[] Ragged = [512, 96, 120, 61];

    /// <param name="rounds">Measured calls of each kind; one more of each comes first.</param>
    public static void Run(int rounds, int threads, TextWriter output)
    {
        set_num_threads(threads);
        output.WriteLine("| kernel | documents | heads | key heads | width | tensor calls ms, forward | backward | fused ms, forward | backward | **tensor calls / fused**, forward | backward | fused GFLOP/s, forward | backward | sgemm GFLOP/s |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (int[] documents in new[] { Fixed, Ragged, [2048] })
        {
            Attention(documents, 9, 3, 64, rounds, output);
            Attention(documents, 14, 2, 64, rounds, output);
        }

        Attention(Fixed, 32, 8, 128, rounds, output);
        Rotation(1024, 9, 64, rounds, output);
        Rotation(1024, 14, 64, rounds, output);
    }

    private static void Attention(int[] documents, int heads, int keyHeads, int width, int rounds, TextWriter output)
    {
        using DisposeScope scope = NewDisposeScope();
        using AttentionMasks masks = new();
        int rows = documents.Sum();
        Tensor query = randn([rows, heads, width]).requires_grad_(), key = randn([rows, keyHeads, width]).requires_grad_(), value = randn([rows, keyHeads, width]).requires_grad_();
        IReadOnlyList<DocumentRun> runs = PackedBatch.FromDocuments(documents.Select(l => new ReadOnlyMemory<int>(new int[l]))).Runs;
        Times times = Measure(
            [query, key, value], randn([rows, heads * width]), rounds,
            () => Engine.Models.Kernels.Attention.PackedReference(query, key, value, runs, masks, 0.125, null, null),
            () => Engine.Models.Kernels.Attention.Packed(query, key, value, runs, masks, 0.125, null, null));
        double pairs = documents.Sum(l => l * (l + 1.0) / 2) * heads;
        Print(output, "attention", documents, heads, keyHeads, width, times, 4 * pairs * width, 8 * pairs * width, SquareProduct(rounds));
    }

    private static void Rotation(int rows, int heads, int width, int rounds, TextWriter output)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = randn([rows, heads, width]).requires_grad_(), cos = randn([rows, 1, width / 2]), sin = randn([rows, 1, width / 2]);
        Times times = Measure([x], randn([rows, heads, width]), rounds, () => Rope.Reference(x, cos, sin), () => Rope.Apply(x, cos, sin));
        double operations = 3.0 * rows * heads * width;
        Print(output, "rotation", [rows], heads, heads, width, times, operations, operations, null);
    }

    /// <returns>The fastest of each: what others do on the machine only adds to a time.</returns>
    private static Times Measure(Tensor[] inputs, Tensor upstream, int rounds, Func<Tensor> plain, Func<Tensor> fused)
    {
        List<(double Forward, double Backward)> byTensors = [], byKernel = [];
        for (int i = 0; i <= rounds; i++)
        {
            (double, double) first = Once(plain), second = Once(fused);
            if (i == 0)
                continue;
            byTensors.Add(first);
            byKernel.Add(second);
        }

        return new Times(byTensors.Min(t => t.Forward), byTensors.Min(t => t.Backward), byKernel.Min(t => t.Forward), byKernel.Min(t => t.Backward));

        (double, double) Once(Func<Tensor> compute)
        {
            using DisposeScope scope = NewDisposeScope();
            long start = Stopwatch.GetTimestamp();
            Tensor result = compute();
            double forward = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            start = Stopwatch.GetTimestamp();
            autograd.grad([result], inputs, [upstream]);
            return (forward, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
    }

    /// <summary>The rate of 1024 × 1024 × 1024 in operations a second, the fastest.</summary>
    private static double SquareProduct(int rounds)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor a = randn([1024, 1024]), b = randn([1024, 1024]), c = zeros([1024, 1024]);
        List<double> times = [];
        for (int i = 0; i < rounds; i++)
        {
            using DisposeScope inner = NewDisposeScope();
            long start = Stopwatch.GetTimestamp();
            c.addmm_(a, b, 0, 1);
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return 2.0 * 1024 * 1024 * 1024 / times.Min();
    }

    private static void Print(TextWriter output, string kernel, int[] documents, int heads, int keyHeads, int width, Times times, double forward, double backward, double? sgemm) =>
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {kernel} | {string.Join(", ", documents)} | {heads} | {keyHeads} | {width} | {times.PlainForward:F2} | {times.PlainBackward:F2} | {times.FusedForward:F2} | {times.FusedBackward:F2} | **{times.PlainForward / times.FusedForward:F1}** | **{times.PlainBackward / times.FusedBackward:F1}** | {forward / times.FusedForward / 1e6:F0} | {backward / times.FusedBackward / 1e6:F0} | {sgemm / 1e9:F0} |"));

    private sealed record Times(double PlainForward, double PlainBackward, double FusedForward, double FusedBackward);
}
