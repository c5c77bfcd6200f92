// How far the machine lets a training step go: the rate of fused multiply-adds that the processor has, the rate that each product of the step reaches, and the step's own.
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using LoraBuild.Engine.Training;
using LoraBuild.Torch.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

internal static class RooflineBenchmark
{
    private const int Tokens = 1024;

    /// <param name="rounds">Of each product, by turns with sgemm; the fastest counts, because others' work only adds to a time.</param>
    public static void Run(ModelShape shape, int rounds, int threads, TextWriter output)
    {
        set_num_threads(threads);
        double peak = Enumerable.Range(0, rounds).Max(_ => PeakRate(threads));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{shape.Name}, {Tokens} tokens, {threads} threads, fastest of {rounds}. Fused multiply-adds in registers: {peak / 1e9:F0} GFLOP/s, which no product exceeds."));
        output.WriteLine("| product | GFLOP | sgemm GFLOP/s | from fp32 | from bf16 | **bf16 / peak** | share of the step's products |");
        output.WriteLine("|---|---|---|---|---|---|---|");
        List<Row> rows = [];
        foreach (var group in shape.Linears.GroupBy(l => (l.Out, l.In)))
        {
            string names = string.Join(", ", group.Select(l => l.Name));
            double each = (double)group.Count() * shape.Layers;
            rows.Add(Measure($"{names}, forward", group.Key.Out, group.Key.In, Tokens, true, each, rounds));
            rows.Add(Measure($"{names}, input gradient", group.Key.Out, group.Key.In, Tokens, false, each, rounds));
        }

        int chunk = (int)HeadCrossEntropy.RowsOfChunk(shape.Vocabulary);
        foreach (bool isForward in new[] { true, false })
            rows.Add(Measure(isForward ? "head, forward" : "head, input gradient", shape.Vocabulary, shape.Hidden, chunk, isForward, (double)Tokens / chunk, rounds));

        double all = rows.Sum(r => r.Operations * r.Times);
        foreach (Row row in rows)
        {
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {row.Name} | {row.Operations * row.Times / 1e9:F1} | {row.Gemm / 1e9:F0} | {row.Wide / 1e9:F0} | {row.Stored / 1e9:F0} | **{row.Stored / peak:F2}** | {row.Operations * row.Times / all:P1} |"));
        }

        double useful = shape.UsefulOperations([256, 256, 256, 256]);
        double products = rows.Sum(r => r.Operations * r.Times / r.Stored), gemm = rows.Sum(r => r.Operations * r.Times / r.Gemm);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"All products: {all / gemm / 1e9:F0} GFLOP/s by sgemm, {all / products / 1e9:F0} here, {all / products / peak:F2} of the peak. At the peak a step of 4 × 256 tokens would take {useful / peak:F2} s, {Tokens * peak / useful:F0} tokens/s."));
    }

    private sealed record Row(string Name, double Operations, double Times, double Gemm, double Wide, double Stored);

    private static Row Measure(string name, int outWidth, int inWidth, int rows, bool isForward, double times, int rounds)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        Tensor stored = randn([outWidth, inWidth]).to_type(ScalarType.BFloat16), wide = stored.to_type(ScalarType.Float32);
        using TiledWeight tiled = TiledWeight.Stored(stored);
        Tensor left = randn([rows, isForward ? inWidth : outWidth]), result = zeros([rows, isForward ? outWidth : inWidth]);
        Tensor right = isForward ? wide.t() : wide;
        Action[] products =
        [
            () => result.addmm_(left, right, 0, 1),
            () => Product(left, wide, result, isForward),
            () => Product(left, tiled, result, isForward),
        ];
        double[] fastest = [double.MaxValue, double.MaxValue, double.MaxValue];
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < products.Length; i++)
                fastest[i] = Math.Min(fastest[i], Seconds(products[i]));
        }

        double operations = 2.0 * rows * outWidth * inWidth;
        return new Row(name, operations, times, operations / fastest[0], operations / fastest[1], operations / fastest[2]);
    }

    private static void Product(Tensor left, Tensor weight, Tensor result, bool isForward)
    {
        if (isForward)
            FrozenProduct.Forward_(left, weight, result);
        else
            FrozenProduct.Backward_(left, weight, 1, result);
    }

    private static void Product(Tensor left, TiledWeight weight, Tensor result, bool isForward)
    {
        if (isForward)
            FrozenProduct.Forward_(left, weight, result);
        else
            FrozenProduct.Backward_(left, weight, 1, result);
    }

    private static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <returns>Operations a second of chains of multiply-adds that do not wait for each other, on all threads at once.</returns>
    private static double PeakRate(int threads)
    {
        const int Turns = 40_000_000;
        float[] sink = new float[threads * 16];
        double seconds = Seconds(() =>
        {
            Thread[] workers = [.. Enumerable.Range(0, threads).Select(i => new Thread(() => sink[i * 16] = Chains(Turns)))];
            foreach (Thread worker in workers)
                worker.Start();
            foreach (Thread worker in workers)
                worker.Join();
        });
        int lanes = Vector512.IsHardwareAccelerated ? 16 : 8;
        return 2.0 * 12 * lanes * Turns * threads / seconds;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Chains(int turns) => Vector512.IsHardwareAccelerated ? WideChains(turns) : NarrowChains(turns);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float WideChains(int turns)
    {
        Vector512<float> factor = Vector512.Create(0.999f), term = Vector512.Create(0.001f);
        Vector512<float> a = term, b = term, c = term, d = term, e = term, f = term, g = term, h = term, i = term, j = term, k = term, l = term;
        for (int turn = 0; turn < turns; turn++)
        {
            a = Vector512.FusedMultiplyAdd(a, factor, term);
            b = Vector512.FusedMultiplyAdd(b, factor, term);
            c = Vector512.FusedMultiplyAdd(c, factor, term);
            d = Vector512.FusedMultiplyAdd(d, factor, term);
            e = Vector512.FusedMultiplyAdd(e, factor, term);
            f = Vector512.FusedMultiplyAdd(f, factor, term);
            g = Vector512.FusedMultiplyAdd(g, factor, term);
            h = Vector512.FusedMultiplyAdd(h, factor, term);
            i = Vector512.FusedMultiplyAdd(i, factor, term);
            j = Vector512.FusedMultiplyAdd(j, factor, term);
            k = Vector512.FusedMultiplyAdd(k, factor, term);
            l = Vector512.FusedMultiplyAdd(l, factor, term);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float NarrowChains(int turns)
    {
        Vector256<float> factor = Vector256.Create(0.999f), term = Vector256.Create(0.001f);
        Vector256<float> a = term, b = term, c = term, d = term, e = term, f = term, g = term, h = term, i = term, j = term, k = term, l = term;
        for (int turn = 0; turn < turns; turn++)
        {
            a = Vector256.FusedMultiplyAdd(a, factor, term);
            b = Vector256.FusedMultiplyAdd(b, factor, term);
            c = Vector256.FusedMultiplyAdd(c, factor, term);
            d = Vector256.FusedMultiplyAdd(d, factor, term);
            e = Vector256.FusedMultiplyAdd(e, factor, term);
            f = Vector256.FusedMultiplyAdd(f, factor, term);
            g = Vector256.FusedMultiplyAdd(g, factor, term);
            h = Vector256.FusedMultiplyAdd(h, factor, term);
            i = Vector256.FusedMultiplyAdd(i, factor, term);
            j = Vector256.FusedMultiplyAdd(j, factor, term);
            k = Vector256.FusedMultiplyAdd(k, factor, term);
            l = Vector256.FusedMultiplyAdd(l, factor, term);
        }

        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
