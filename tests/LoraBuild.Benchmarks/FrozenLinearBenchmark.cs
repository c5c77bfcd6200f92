// What it costs that a frozen weight is held compressed: the products of one layer, forward and input gradient, beside fp32 weights.
using System.Diagnostics;
using System.Globalization;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

internal static class FrozenLinearBenchmark
{
    private static readonly (string Name, (int Out, int In)[] Linears)[] Shapes =
    [
        ("SmolLM2-135M", [(576, 576), (192, 576), (192, 576), (576, 576), (1536, 576), (1536, 576), (576, 1536)]),
        ("Qwen2.5-0.5B", [(896, 896), (128, 896), (128, 896), (896, 896), (4864, 896), (4864, 896), (896, 4864)]),
    ];

    /// <param name="tokens">Rows of x.</param>
    /// <param name="rounds">Each takes every kind once; ratios are of neighbours in a round.</param>
    public static void Run(int tokens, int rounds, int threads, TextWriter output)
    {
        set_num_threads(threads);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"The linear modules of one layer, {tokens} tokens, forward and dx, {threads} threads, {rounds} rounds; time over that of fp32 weights in the same round, median (lowest – highest)."));
        output.WriteLine("| shape | fp32 ms | nf4, nested | nf4, bf16 products | int8 | stored bf16 | stored fp16 |");
        output.WriteLine("|---|---|---|---|---|---|---|");
        foreach ((string name, (int Out, int In)[] linears) in Shapes)
            Measure(name, linears, tokens, rounds, output);
    }

    private static void Measure(string name, (int Out, int In)[] linears, int tokens, int rounds, TextWriter output)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor[] plain = [.. linears.Select(l => randn([l.Out, l.In], dtype: ScalarType.Float32).mul_(0.02))];
        Func<Tensor, IFrozenWeight?>[] kinds =
        [
            _ => null,
            w => Quantised(w, WeightCode.Nf4, ScalarType.Float32),
            w => Quantised(w, WeightCode.Nf4, ScalarType.BFloat16),
            w => Quantised(w, WeightCode.Int8, ScalarType.Float32),
            w => new StoredWeight(w.to_type(ScalarType.BFloat16)),
            w => new StoredWeight(w.to_type(ScalarType.Float16)),
        ];
        LinearLayer[][] layers = [.. kinds.Select(kind => plain.Select(w => new LinearLayer("layer", kind(w) is { } frozen ? new WeightSlot("weight", new LinearWeight(frozen)) : new WeightSlot("weight", w), null)).ToArray())];
        Tensor[] inputs = [.. linears.Select(l => randn([tokens, l.In], dtype: ScalarType.Float32).requires_grad_())];
        Tensor[] upstream = [.. linears.Select(l => randn([tokens, l.Out], dtype: ScalarType.Float32))];
        double[][] times = [.. kinds.Select(_ => new double[rounds])];
        for (int round = -1; round < rounds; round++)
        {
            for (int kind = 0; kind < kinds.Length; kind++)
            {
                double time = Once(layers[kind], inputs, upstream);
                if (round >= 0)
                    times[kind][round] = time;
            }
        }

        foreach (IFrozenWeight frozen in layers.SelectMany(l => l).Select(l => l.BaseMatrix.Frozen).OfType<IFrozenWeight>())
            frozen.Dispose();
        string ratios = string.Join(" | ", times.Skip(1).Select(t => Ratio([.. t.Zip(times[0], (a, b) => a / b).Order()])));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {times[0].Order().ElementAt(rounds / 2):F1} | {ratios} |"));
    }

    private static string Ratio(double[] sorted) => string.Create(CultureInfo.InvariantCulture, $"{sorted[sorted.Length / 2]:F3} ({sorted[0]:F2} – {sorted[^1]:F2})");

    private static QuantizedWeight Quantised(Tensor weight, WeightCode code, ScalarType computeType) =>
        QuantizedWeight.Of(PackedArrays.Encode(code, weight.data<float>().ToArray(), weight.shape, FourBitBlocks.DefaultBlockSize, true), computeType, CPU);

    private static double Once(LinearLayer[] layers, Tensor[] inputs, Tensor[] upstream)
    {
        using DisposeScope scope = NewDisposeScope();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < layers.Length; i++)
        {
            Tensor y = layers[i].Forward(inputs[i]);
            autograd.backward([y], [upstream[i]]);
        }

        double time = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        foreach (Tensor input in inputs)
            input.grad = null;
        return time;
    }
}
