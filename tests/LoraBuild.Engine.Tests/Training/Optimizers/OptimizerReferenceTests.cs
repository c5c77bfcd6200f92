// Every optimizer against torch and transformers, both ways of computing, LoRA+'s groups, and states that go on.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Optimizers;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training.Optimizers;

public sealed class OptimizerReferenceTests
{
    private static readonly string[] Kinds = ["adamw", "sgd", "sgd_momentum", "adafactor", "lion"];

    public static TheoryData<string> All() => [.. Kinds];

    /// <summary>golden/training/optimizers.json: eight steps of torch 2.14 (AdamW, SGD) and transformers 5.12 (Adafactor).</summary>
    [Theory]
    [InlineData("adamw")]
    [InlineData("sgd")]
    [InlineData("sgd_momentum")]
    [InlineData("adafactor")]
    public void Eight_steps_end_where_the_reference_ends(string kind)
    {
        JsonNode golden = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Root, "training", "optimizers.json")))![kind]!;
        using DisposeScope scope = NewDisposeScope();
        (Tensor matrix, Tensor norm) = Parameters();
        using IOptimizer optimizer = Create(kind, matrix, norm);
        Run(optimizer, matrix, norm, 1, 8);
        GoldenTensors.AssertClose([.. golden[0]!.AsArray().Select(v => (float)v!)], matrix.data<float>().ToArray(), 2e-6, "the matrix");
        GoldenTensors.AssertClose([.. golden[1]!.AsArray().Select(v => (float)v!)], norm.data<float>().ToArray(), 2e-6, "the vector, without decay");
    }

    [Fact]
    public void Lion_follows_its_formula()
    {
        using DisposeScope scope = NewDisposeScope();
        (Tensor matrix, Tensor norm) = Parameters();
        using IOptimizer optimizer = Create("lion", matrix, norm);
        double[] p = [.. matrix.data<float>().ToArray().Select(v => (double)v)];
        double[] m = new double[p.Length];
        for (int t = 1; t <= 8; t++)
        {
            double[] g = Gradient(p.Length, 1, t);
            for (int i = 0; i < p.Length; i++)
            {
                p[i] = (p[i] * (1 - (RateOf(t) * 0.1))) - (RateOf(t) * Math.Sign((0.9 * m[i]) + (0.1 * g[i])));
                m[i] = (0.95 * m[i]) + (0.05 * g[i]);
            }
        }

        Run(optimizer, matrix, norm, 1, 8);
        GoldenTensors.AssertClose([.. p.Select(v => (float)v)], matrix.data<float>().ToArray(), 2e-6, "Lion");
    }

    [Theory]
    [InlineData("adamw")]
    [InlineData("sgd")]
    [InlineData("sgd_momentum")]
    [InlineData("lion")]
    public void One_fused_pass_computes_what_tensor_calls_compute(string kind)
    {
        using DisposeScope scope = NewDisposeScope();
        (float[] fused, float[] byTensors) = (Large(kind, isFused: true), Large(kind, isFused: false));
        GoldenTensors.AssertClose(byTensors, fused, 2e-6, kind);
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        int threads = get_num_threads();
        using DisposeScope scope = NewDisposeScope();
        try
        {
            set_num_threads(1);
            float[] one = Large("adamw", isFused: true);
            set_num_threads(4);
            Assert.Equal(one, Large("adamw", isFused: true));
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_saved_state_goes_on_bit_by_bit(string kind)
    {
        using TemporaryDirectory directory = new();
        using DisposeScope scope = NewDisposeScope();
        string path = Path.Combine(directory.Path, "optimizer.safetensors");
        (Tensor matrix, Tensor norm) = Parameters();
        using IOptimizer optimizer = Create(kind, matrix, norm);
        Run(optimizer, matrix, norm, 1, 3);
        optimizer.Save(path);
        (Tensor matrix2, Tensor norm2) = (matrix.detach().clone().requires_grad_(), norm.detach().clone().requires_grad_());
        using IOptimizer loaded = Create(kind, matrix2, norm2);
        loaded.Load(path);
        Assert.Equal(3, loaded.Steps);
        Run(optimizer, matrix, norm, 4, 6);
        Run(loaded, matrix2, norm2, 4, 6);
        Assert.Equal(matrix.data<float>().ToArray(), matrix2.data<float>().ToArray());
        Assert.Equal(norm.data<float>().ToArray(), norm2.data<float>().ToArray());
    }

    [Fact]
    public void LoRA_plus_moves_B_and_vectors_faster_and_A_as_before()
    {
        using DisposeScope scope = NewDisposeScope();
        string[] names = ["q_proj.lora_A.weight", "q_proj.lora_B.weight", "q_proj.lora_magnitude_vector"];
        Tensor[] values = [ones(2, 3).requires_grad_(), ones(3, 2).requires_grad_(), ones(3).requires_grad_()];
        TrainOptions options = new() { Optimizer = OptimizerKind.Sgd, LoraPlusRatio = 16 };
        using IOptimizer optimizer = OptimizerFactory.Create(options, [.. names.Zip(values)]);
        foreach (Tensor value in values)
            value.sum().backward(); // gradient 1 everywhere
        optimizer.CollectGradients();
        optimizer.Step(0.01, 1);
        Assert.All(values[0].data<float>().ToArray(), v => Assert.Equal(1 - 0.01, v, 1e-6));
        Assert.All(values[1].data<float>().ToArray(), v => Assert.Equal(1 - 0.16, v, 1e-6));
        Assert.All(values[2].data<float>().ToArray(), v => Assert.Equal(1 - 0.16, v, 1e-6));
    }

    private static (Tensor Matrix, Tensor Norm) Parameters() => (
        tensor([.. Enumerable.Range(0, 21).Select(i => MathF.Sin((i * 0.7f) + 1))]).reshape(3, 7).clone().requires_grad_(),
        tensor([.. Enumerable.Range(0, 5).Select(i => MathF.Cos(i))]).requires_grad_());

    private static IOptimizer Create(string kind, Tensor matrix, Tensor norm) => OptimizerFactory.Create(
        new TrainOptions
        {
            Optimizer = kind switch
            {
                "adamw" => OptimizerKind.AdamW,
                "adafactor" => OptimizerKind.Adafactor,
                "lion" => OptimizerKind.Lion,
                _ => OptimizerKind.Sgd,
            },
            SgdMomentum = kind == "sgd_momentum" ? 0.9 : 0,
            AdamBeta1 = 0.9,
            AdamBeta2 = 0.95,
            WeightDecay = 0.1,
        },
        [("a.weight", matrix), ("norm.weight", norm)]);

    private static void Run(IOptimizer optimizer, Tensor matrix, Tensor norm, int from, int to)
    {
        for (int t = from; t <= to; t++)
        {
            GiveGradient(matrix, Gradient(21, 1, t));
            GiveGradient(norm, Gradient(5, 2, t));
            optimizer.CollectGradients();
            optimizer.Step(RateOf(t), 1);
        }
    }

    private static double RateOf(int t) => 0.01 * (1 + (t % 3));

    private static double[] Gradient(int count, int stretch, int t) => [.. Enumerable.Range(0, count).Select(i => Math.Sin((i * stretch * 0.37) + (t * 0.9)) * (0.5 + (0.1 * t)))];

    /// <summary>More elements than one part, and a rest that fills no vector.</summary>
    private static float[] Large(string kind, bool isFused)
    {
        const int count = 70_003;
        using Tensor value = tensor([.. Enumerable.Range(0, count).Select(i => MathF.Sin(i))]).requires_grad_();
        IElementwiseRule rule = kind switch
        {
            "adamw" => new AdamWRule(0.9, 0.95, 1e-8),
            "lion" => new LionRule(0.9, 0.95),
            "sgd" => new SgdRule(0),
            _ => new SgdRule(0.9),
        };
        using ElementwiseOptimizer optimizer = new(rule, [new TrainedParameter("a", value, 0.1, 1)], isFused);
        for (int t = 1; t <= 4; t++)
        {
            GiveGradient(value, Gradient(count, 1, t));
            double norm = optimizer.CollectGradients();
            Assert.Equal(Math.Sqrt(Gradient(count, 1, t).Sum(g => g * g)), norm, norm * 1e-6);
            optimizer.Step(0.01, 0.5);
        }

        return value.data<float>().ToArray();
    }

    // d(Σ g·p)/dp = g
    private static void GiveGradient(Tensor parameter, double[] gradient)
    {
        using DisposeScope scope = NewDisposeScope();
        parameter.mul(tensor([.. gradient.Select(g => (float)g)]).reshape(parameter.shape)).sum().backward();
    }
}
