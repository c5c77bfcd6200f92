// Linear layers over one input in one function, against the same in tensor calls.
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using LoraBuild.Engine.Quantization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class LinearGroupTests
{
    public enum Source
    {
        Plain,
        Normed,
        Gated,
        GatedHalves,
    }

    // The larger shapes reach both libraries that compute products: the rule between them looks at rows, columns and transposition.
    public static TheoryData<Source, int, int, int[], string, double, bool> Cases => new()
    {
        { Source.Plain, 5, 12, [12], "a", 0, false },
        { Source.Plain, 300, 96, [96, 40, 40], "aaa", 0, false },
        { Source.Plain, 37, 48, [64, 32], "--", 0, true },
        { Source.Normed, 33, 48, [48, 16, 16], "aaa", 0, false },
        { Source.Normed, 33, 48, [48, 16, 16], "a-a", 0, true },
        { Source.Normed, 200, 128, [384, 384], "--", 0, false },
        { Source.Normed, 64, 64, [40, 24, 24], "aaa", 0.3, true },
        { Source.Gated, 1, 40, [24], "a", 0, false },
        { Source.Gated, 64, 128, [192], "-", 0, true },
        { Source.GatedHalves, 50, 72, [64], "a", 0.1, false },
        { Source.GatedHalves, 130, 33, [17], "-", 0, false },
        { Source.Gated, 71, 33, [17], "a", 0.4, false }, // rows that begin at odd places of the random numbers
        { Source.Plain, 700, 65, [30, 20], "aa", 0.05, false },
        { Source.Normed, 1024, 192, [192, 1088], "a-", 0, false },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_fused_function_gives_what_the_tensor_calls_give_forward_and_backward(Source source, int rows, int width, int[] outWidths, string adapters, double dropout, bool hasBias)
    {
        using DisposeScope scope = NewDisposeScope();
        Layers fused = new(rows, width, outWidths, adapters, dropout, hasBias), plain = new(rows, width, outWidths, adapters, dropout, hasBias);
        Tensor[] fusedInputs = Inputs(source, rows, width), plainInputs = Inputs(source, rows, width);
        Generator generator = new(11, CPU);
        Tensor[] upstream = [.. outWidths.Select(o => randn([rows, o], generator: generator))];

        Tensor[] expected = LinearGroup.Reference(Input(source, plainInputs), plain.All), actual = LinearGroup.Forward(Input(source, fusedInputs), fused.All);
        autograd.backward(expected, upstream);
        autograd.backward(actual, upstream);

        for (int i = 0; i < expected.Length; i++)
            Close(expected[i], actual[i], 3e-6);
        Tensor[] expectedTrained = [.. plainInputs, .. plain.Trained], actualTrained = [.. fusedInputs, .. fused.Trained];
        for (int i = 0; i < expectedTrained.Length; i++)
            Close(expectedTrained[i].grad!, actualTrained[i].grad!, 2e-5);
    }

    public static TheoryData<string> Holdings => ["nf4", "fp4", "int8", "bf16", "fp16"];

    [Theory]
    [MemberData(nameof(Holdings))]
    public void Over_compressed_weights_norm_linears_and_adapters_are_one_function_too(string holding)
    {
        using DisposeScope scope = NewDisposeScope();
        int[] outWidths = [192, 70, 40];
        Layers compressed = new(77, 130, outWidths, "aa-", 0, true, holding), plain = new(77, 130, outWidths, "aa-", 0, true);
        for (int i = 0; i < outWidths.Length; i++)
            plain.All[i].BaseWeight.copy_(compressed.All[i].BaseMatrix.Frozen!.Rows(0, outWidths[i]));
        Tensor[] compressedInputs = Inputs(Source.Normed, 77, 130), plainInputs = Inputs(Source.Normed, 77, 130);
        Tensor[] expected = LinearGroup.Reference(Input(Source.Normed, plainInputs), plain.All), actual = LinearGroup.Forward(Input(Source.Normed, compressedInputs), compressed.All);
        autograd.backward(expected, [.. expected.Select(e => e.detach().sin())]);
        autograd.backward(actual, [.. expected.Select(e => e.detach().sin())]);
        for (int i = 0; i < expected.Length; i++)
            Close(expected[i], actual[i], 3e-6);
        foreach ((Tensor e, Tensor a) in plainInputs.Concat(plain.Trained).Zip(compressedInputs.Concat(compressed.Trained)))
            Close(e.grad!, a.grad!, 2e-5);
        foreach (LinearLayer layer in compressed.All)
            layer.BaseMatrix.Frozen!.Dispose();
    }

    [Fact]
    public void Below_the_first_adapter_nothing_gets_a_gradient_and_the_adapter_still_does()
    {
        using DisposeScope scope = NewDisposeScope();
        Layers layers = new(20, 48, [32, 16], "aa", 0, false);
        Tensor x = randn([20, 48]), norm = ones([48]);
        Tensor[] outputs = LinearGroup.Forward(LinearInput.Normed(x, norm, 1e-5, false), layers.All);
        autograd.backward(outputs, [.. outputs.Select(y => ones_like(y))]);
        Assert.Null(x.grad);
        Assert.All(layers.Trained, p => Assert.NotNull(p.grad));
    }

    [Fact]
    public void A_frozen_layer_does_not_keep_its_input()
    {
        using DisposeScope scope = NewDisposeScope();
        Layers layers = new(20, 48, [32], "-", 0, false);
        Tensor leaf = randn([20, 48]).requires_grad_();
        Tensor x = leaf.mul(1.0);
        Tensor y = layers.All[0].Forward(x);
        x.mul_(2.0); // autograd would refuse the backward pass of a function that keeps it
        y.sum().backward();
        Assert.NotNull(leaf.grad);
    }

    [Fact]
    public void A_trained_weight_is_left_to_the_tensor_calls()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor weight = randn([16, 24]).requires_grad_();
        LinearLayer layer = new("l", new WeightSlot("l.weight", weight), null);
        layer.Forward(randn([5, 24])).sum().backward();
        Assert.NotNull(weight.grad);
    }

    private static LinearInput Input(Source source, Tensor[] given) => source switch
    {
        Source.Plain => LinearInput.Plain(given[0]),
        Source.Normed => LinearInput.Normed(given[0], given[1], 1e-5, true),
        Source.Gated => LinearInput.Gated(given[0], given[1], Activation.Silu),
        _ => LinearInput.GatedHalves(given[0], Activation.GeluTanh),
    };

    private static Tensor[] Inputs(Source source, int rows, int width)
    {
        Generator generator = new(7, CPU);
        long[][] shapes = source switch
        {
            Source.Plain => [[rows, width]],
            Source.Normed => [[rows, width], [width]],
            Source.Gated => [[rows, width], [rows, width]],
            _ => [[rows, 2 * width]],
        };
        return [.. shapes.Select(s => randn(s, generator: generator).requires_grad_())];
    }

    private static void Close(Tensor expected, Tensor actual, double tolerance)
    {
        Assert.Equal(expected.shape, actual.shape);
        KernelAssert.Close(expected.detach().contiguous().data<float>().ToArray(), actual.detach().contiguous().data<float>().ToArray(), tolerance);
    }

    /// <summary>The same layers whenever they are made with the same arguments; 'a' has an adapter, '-' has none.</summary>
    private sealed class Layers
    {
        public Layers(int rows, int width, int[] outWidths, string adapters, double dropout, bool hasBias, string? holding = null)
        {
            Generator generator = new(9, CPU);
            AdapterSwitch shared = new() { Dropout = new RowRandomness([new BlockRows(1, 1 << 20, 3, rows / 2), new BlockRows(0, 1 << 20, 0, rows - (rows / 2))], block => 77 + block) };
            List<Tensor> trained = [];
            All = new LinearLayer[outWidths.Length];
            for (int i = 0; i < outWidths.Length; i++)
            {
                int outWidth = outWidths[i], r = 4 + (2 * i);
                Tensor dense = randn([outWidth, width], generator: generator);
                WeightSlot weight = holding is null ? new("w", dense) : new("w", new LinearWeight(Held(dense, holding)));
                WeightSlot? bias = null;
                if (hasBias)
                {
                    bias = new WeightSlot("b", randn([outWidth], generator: generator).requires_grad_());
                    trained.Add(bias.Base);
                }

                All[i] = new LinearLayer($"l{i}", weight, bias);
                if (adapters[i] != 'a')
                    continue;
                Parameter a = new(randn([r, width], generator: generator)), b = new(randn([outWidth, r], generator: generator));
                All[i].Adapter = new LoraLinear(new AdapterTarget($"l{i}", r, 0.5), a, b, null, dropout, i, shared);
                trained.AddRange([a, b]);
            }

            Trained = trained;
        }

        private static IFrozenWeight Held(Tensor dense, string holding) => holding switch
        {
            "bf16" => new StoredWeight(dense.to_type(ScalarType.BFloat16)),
            "fp16" => new StoredWeight(dense.to_type(ScalarType.Float16)),
            _ => QuantizedWeight.Of(
                PackedArrays.Encode(Enum.Parse<WeightCode>(holding, ignoreCase: true), dense.data<float>().ToArray(), dense.shape, 64, holding == "nf4"), ScalarType.Float32, CPU),
        };

        public LinearLayer[] All { get; }

        public IReadOnlyList<Tensor> Trained { get; }
    }
}
