// What all fused kernels have in common at their edges: NaN and infinity come through, threads change nothing, no rows are fine, wrong shapes are refused.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using LoraBuild.Torch.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class KernelEdgeTests
{
    private const int Width = 48;

    public static TheoryData<string> Kernels => ["norm", "rope", "silu", "gelu", "gelu-tanh", "attention", "attention-cap", "linear", "linear-norm", "linear-gated", "tiled", "tiled-bf16"];

    /// <summary>A step is judged by its loss and gradients: what is not a number may not get lost on the way to them.</summary>
    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_number_that_is_none_reaches_the_result_and_the_gradient(string kernel)
    {
        foreach (uint bits in (uint[])[0x7fc00000, 0xffc00000, 0x7fffffff, 0xffffffff, 0x7f800001, 0x7f800000, 0xff800000])
        {
            using DisposeScope scope = NewDisposeScope();
            float odd = BitConverter.UInt32BitsToSingle(bits);
            float[] input = Numbers(40 * Width, 3);
            input[(17 * Width) + 5] = odd;
            (float[] result, _) = Run(kernel, input, Numbers(40 * Width, 4));
            if (float.IsNaN(odd))
                Assert.Contains(result, x => !float.IsFinite(x));

            float[] upstream = Numbers(40 * Width, 4);
            upstream[(17 * Width) + 5] = odd;
            (_, float[] gradient) = Run(kernel, Numbers(40 * Width, 3), upstream);
            Assert.Contains(gradient, x => !float.IsFinite(x));
        }
    }

    /// <summary>Not those with matrix products: OpenBLAS sums in another order on another number of threads.</summary>
    [Theory]
    [InlineData("norm")]
    [InlineData("rope")]
    [InlineData("silu")]
    [InlineData("gelu")]
    [InlineData("gelu-tanh")]
    [InlineData("attention")]
    [InlineData("attention-cap")]
    public void One_thread_and_several_give_the_same_bits(string kernel)
    {
        int threads = get_num_threads();
        try
        {
            List<(float[] Result, float[] Gradient)> runs = [];
            foreach (int count in (int[])[1, 2, 3])
            {
                using DisposeScope scope = NewDisposeScope();
                set_num_threads(count);
                runs.Add(Run(kernel, Numbers(1100 * Width, 3), Numbers(1100 * Width, 4)));
            }

            Assert.All(runs, r => Assert.Equal(runs[0].Result, r.Result));
            Assert.All(runs, r => Assert.Equal(runs[0].Gradient, r.Gradient));
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_second_backward_pass_over_the_same_graph_gives_the_same(string kernel)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = tensor(Numbers(40 * Width, 3), [40, Width]).requires_grad_(), upstream = tensor(Numbers(40 * Width, 4), [40, Width]);
        Tensor y = Apply(kernel, x);
        y.mul(upstream).sum().backward(retain_graph: true);
        float[] first = x.grad!.data<float>().ToArray();
        x.grad!.zero_();
        y.mul(upstream).sum().backward();
        Assert.Equal(first, x.grad!.data<float>().ToArray());
    }

    [Theory]
    [InlineData("norm")]
    [InlineData("rope")]
    [InlineData("silu")]
    [InlineData("linear")]
    [InlineData("linear-norm")]
    [InlineData("linear-gated")]
    [InlineData("tiled")]
    [InlineData("tiled-bf16")]
    public void No_rows_give_no_rows(string kernel)
    {
        using DisposeScope scope = NewDisposeScope();
        (float[] result, float[] gradient) = Run(kernel, [], []);
        Assert.Empty(result);
        Assert.Empty(gradient);
    }

    [Fact]
    public void Losses_of_rows_that_hold_something_else_than_numbers_are_not_numbers()
    {
        using DisposeScope scope = NewDisposeScope();
        foreach (float odd in (float[])[float.NaN, float.PositiveInfinity, BitConverter.UInt32BitsToSingle(0xffffffff)])
        {
            for (int place = 0; place < 70; place += 23)
            {
                float[] logits = Numbers(2 * 70, 5);
                logits[place] = odd;
                (Tensor losses, Tensor? gradient) = CrossEntropy.Apply(tensor(logits, [2, 70]), tensor([3L, 4L]), null, 1, null, 0, true);
                Assert.False(float.IsFinite(losses.data<float>()[0]));
                Assert.True(float.IsFinite(losses.data<float>()[1]));
                Assert.Contains(gradient!.data<float>().ToArray(), g => !float.IsFinite(g));
            }
        }

        (Tensor none, _) = CrossEntropy.Apply(empty([0, 70]), empty([0], dtype: ScalarType.Int64), null, 1, null, 0, true);
        Assert.Equal(0, none.NumberOfElements);
    }

    [Fact]
    public void Shapes_and_types_that_do_not_fit_are_refused_and_not_read_beyond()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = zeros([4, Width]), wide = zeros([4, 2, 16]);
        Refused(() => FusedKernels.RmsNorm(x, ones([Width - 1]), 1e-5, 0));
        Refused(() => FusedKernels.RmsNorm(x, ones([Width], dtype: ScalarType.Float64), 1e-5, 0));
        Refused(() => FusedAttention.Rotate(wide, ones([3, 1, 8]), ones([3, 1, 8])));
        Refused(() => FusedAttention.Rotate(wide, ones([4, 1, 9]), ones([4, 1, 9])));
        Refused(() => FusedKernels.GatedActivation(x, zeros([4, Width + 1]), GateFunction.Silu));
        FusedInput plain = new(FusedInputKind.Plain, x);
        Tensor weight = zeros([8, Width]);
        FusedLinear[] wrong =
        [
            new(zeros([8, Width - 1])), new(weight, Bias: zeros([7])), new(weight, A: zeros([2, Width]), B: zeros([8, 3])), new(weight, A: zeros([2, Width - 1]), B: zeros([8, 2])),
            new(weight, A: zeros([2, Width]), B: zeros([8, 2]), Drops: [new SeededRun(1, 0, 3 * Width)]), new(weight, A: zeros([2, Width])), new(zeros([8, Width], dtype: ScalarType.BFloat16)),
        ];
        Assert.All(wrong, w => Refused(() => FusedKernels.Linears(plain, [w])));
        Refused(() => FusedKernels.Linears(new FusedInput(FusedInputKind.Norm, x, zeros([Width + 1])), [new FusedLinear(weight)]));
        Refused(() => FusedKernels.Linears(new FusedInput(FusedInputKind.Gated, x, zeros([3, Width])), [new FusedLinear(weight)]));
        using TiledWeight tiled = TiledWeight.Stored(zeros([8, Width], dtype: ScalarType.BFloat16));
        Refused(() => tiled.Linear(zeros([4, Width + 1]), null));
        Refused(() => tiled.Linear(x, zeros([7])));

        static void Refused(Func<object> call) => Assert.ThrowsAny<Exception>(call);
    }

    private static (float[] Result, float[] Gradient) Run(string kernel, float[] input, float[] upstream)
    {
        Tensor x = tensor(input, [input.Length / Width, Width]).requires_grad_();
        Tensor y = Apply(kernel, x);
        autograd.backward([y], [tensor(upstream, y.shape)]);
        return (y.detach().contiguous().data<float>().ToArray(), x.grad!.contiguous().data<float>().ToArray());
    }

    /// <summary>[P, 48] to [P, 48].</summary>
    private static Tensor Apply(string kernel, Tensor x)
    {
        long rows = x.shape[0];
        using AttentionMasks masks = new();
        switch (kernel)
        {
            case "norm":
                return RmsNorm.Apply(x, Weight(1, Width).view(Width), 1e-6, true);
            case "rope":
                return Rope.Apply(x.view(rows, 2, 24), Weight(rows, 10).view(rows, 1, 10), Weight(rows, 10).view(rows, 1, 10)).view(rows, Width);
            case "silu":
                return GatedActivation.Apply(x, Weight(rows, Width), Activation.Silu);
            case "gelu":
                return GatedActivation.Apply(x, Weight(rows, Width), Activation.Gelu);
            case "gelu-tanh":
                return GatedActivation.Apply(x, Weight(rows, Width), Activation.GeluTanh);
            case "attention" or "attention-cap":
                Tensor heads = x.view(rows, 3, 16);
                DocumentRun[] runs = rows > 30 ? [new DocumentRun(0, 1, 30), new DocumentRun(30, 1, (int)rows - 30)] : [new DocumentRun(0, 1, (int)rows)];
                return Attention.Packed(heads, heads, heads, runs, masks, 0.25, kernel == "attention" ? null : 20, null);
            case "tiled":
                return new TiledWeightScope(ScalarType.BFloat16).Linear(x);
            case "tiled-bf16":
                return new TiledWeightScope(ScalarType.Int8).Linear(x);
        }

        FusedInput input = kernel switch
        {
            "linear" => new FusedInput(FusedInputKind.Plain, x),
            "linear-norm" => new FusedInput(FusedInputKind.Norm, x, Weight(1, Width).view(Width), 1e-6),
            _ => new FusedInput(FusedInputKind.Gated, x, Weight(rows, Width)),
        };
        return FusedKernels.Linears(input, [new FusedLinear(Weight(Width, Width), Bias: Weight(1, Width).view(Width), A: Weight(4, Width), B: Weight(Width, 4), Scaling: 2)])[0];
    }

    private static Tensor Weight(long rows, long columns) => tensor(Numbers((int)(rows * columns), 9), [rows, columns]);

    private static float[] Numbers(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() - 0.5))];
    }

    /// <summary>Its graph holds the weight when this is long gone.</summary>
    private sealed class TiledWeightScope(ScalarType type)
    {
        public Tensor Linear(Tensor x)
        {
            using TiledWeight weight = type == ScalarType.Int8
                ? TiledWeight.Int8(Weight(Width, Width).mul(200).to_type(ScalarType.Int8), Weight(1, Width).view(Width).add(1), roundsToBFloat16: true)
                : TiledWeight.Stored(Weight(Width, Width).to_type(type));
            return weight.Linear(x, null);
        }
    }
}
