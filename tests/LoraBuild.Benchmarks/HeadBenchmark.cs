// The head's loss and its gradient by the number of rows whose logits exist at once: what little memory costs in time.
using System.Diagnostics;
using System.Globalization;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

internal static class HeadBenchmark
{
    private static readonly int[] Rows = [48, 64, 96, 128, 160, 192, 256, 341, 512];

    /// <param name="tokens">Positions with a target.</param>
    /// <param name="rounds">Each takes every number of rows once, of a head in fp32 and of one in bf16.</param>
    public static void Run(ModelShape shape, int tokens, int rounds, int threads, TextWriter output)
    {
        set_num_threads(threads);
        using DisposeScope scope = NewDisposeScope();
        Tensor narrow = randn([shape.Vocabulary, shape.Hidden]).mul_(0.02).to_type(ScalarType.BFloat16);
        Tensor wide = narrow.to_type(ScalarType.Float32);
        using StoredWeight stored = new(narrow);
        LinearWeight[] weights = [wide, new(stored)];
        Tensor hidden = randn([tokens, shape.Hidden]);
        Tensor targets = randint(0, shape.Vocabulary, [tokens], dtype: ScalarType.Int64);
        Tensor gradient = zeros_like(hidden);
        double[,] fastest = new double[weights.Length, Rows.Length];
        for (int round = -1; round < rounds; round++)
        {
            for (int r = 0; r < Rows.Length; r++)
            {
                for (int w = 0; w < weights.Length; w++)
                {
                    long start = Stopwatch.GetTimestamp();
                    new HeadCrossEntropy(weights[w], 1, null).Run(hidden, targets, 1.0 / tokens, gradient, null, Rows[r]);
                    double time = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                    fastest[w, r] = round <= 0 ? time : Math.Min(fastest[w, r], time);
                }
            }
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{shape.Name}, {tokens} targets, {threads} threads, the fastest of {rounds} rounds; GFLOP/s of the two products, the cross-entropy's time included."));
        output.WriteLine("| rows at once | logits MB | fp32 head ms | GFLOP/s | bf16 head ms | GFLOP/s |");
        output.WriteLine("|---|---|---|---|---|---|");
        double operations = 4.0 * tokens * shape.Vocabulary * shape.Hidden;
        for (int r = 0; r < Rows.Length; r++)
        {
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {Rows[r]} | {4.0 * Rows[r] * shape.Vocabulary / 1e6:F0} | {fastest[0, r]:F0} | {operations / fastest[0, r] / 1e6:F0} | {fastest[1, r]:F0} | {operations / fastest[1, r] / 1e6:F0} |"));
        }
    }
}
