// AdamW against its formula in double precision.
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Optimizers;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training.Optimizers;

public sealed class AdamWTests
{
    private const double Beta1 = 0.9;
    private const double Beta2 = 0.95;
    private const double Epsilon = 1e-8;
    private const double Decay = 0.1;

    [Fact]
    public void Ten_steps_follow_the_formula_and_norms_do_not_decay()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor weight = tensor(new[] { 1f, -2f, 3f, 0.5f }).reshape(2, 2).clone().requires_grad_();
        Tensor norm = tensor(new[] { 1f, 2f }).requires_grad_();
        using IOptimizer optimizer = Create(Decay, [("a.weight", weight), ("norm.weight", norm)]);
        Reference a = new([1, -2, 3, 0.5], Decay);
        Reference b = new([1, 2], 0);
        for (int step = 1; step <= 10; step++)
        {
            double[] ga = [.. Enumerable.Range(0, 4).Select(i => Math.Sin(step + i))];
            double[] gb = [.. Enumerable.Range(0, 2).Select(i => Math.Cos(step * (i + 1)))];
            GiveGradient(weight, ga);
            GiveGradient(norm, gb);
            double rate = step == 1 ? 0 : 0.01 * step; // the state advances although nothing moves
            double clip = step % 2 == 0 ? 0.5 : 1;
            Assert.Equal(Math.Sqrt(ga.Concat(gb).Sum(g => g * g)), optimizer.CollectGradients(), 1e-6);
            optimizer.Step(rate, clip);
            a.Step([.. ga.Select(g => g * clip)], rate);
            b.Step([.. gb.Select(g => g * clip)], rate);
        }

        Same(a.Values, weight);
        Same(b.Values, norm);
    }

    [Fact]
    public void A_gradient_of_exactly_0_moves_nothing_and_gives_no_NaN()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor value = ones(3).requires_grad_();
        using IOptimizer optimizer = Create(0, [("a", value)]);
        GiveGradient(value, [0, 0, 0]);
        Assert.Equal(0, optimizer.CollectGradients());
        optimizer.Step(0.1, 1);
        Same([1, 1, 1], value);
    }

    [Fact]
    public void A_parameter_without_gradient_counts_as_gradient_0()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor value = ones(2).requires_grad_();
        using IOptimizer optimizer = Create(Decay, [("a", value)]);
        Assert.Equal(0, optimizer.CollectGradients());
        optimizer.Step(0.1, 1);
        Same([0.99, 0.99], value); // it still decays
    }

    [Fact]
    public void A_state_that_was_saved_goes_on_bit_by_bit()
    {
        using TemporaryDirectory directory = new();
        using DisposeScope scope = NewDisposeScope();
        string path = Path.Combine(directory.Path, "optimizer.safetensors");
        Tensor value = ones(5).requires_grad_();
        using IOptimizer optimizer = Create(Decay, [("a", value)]);
        Train(optimizer, value, 3);
        optimizer.Save(path);
        Tensor copy = value.detach().clone().requires_grad_();
        using IOptimizer loaded = Create(Decay, [("a", copy)]);
        loaded.Load(path);
        Train(optimizer, value, 2);
        Train(loaded, copy, 2);
        Assert.Equal(optimizer.Steps, loaded.Steps);
        Assert.Equal(value.data<float>().ToArray(), copy.data<float>().ToArray());
    }

    private static IOptimizer Create(double decay, IReadOnlyList<(string, Tensor)> parameters) => OptimizerFactory.Create(
        new TrainOptions { AdamBeta1 = Beta1, AdamBeta2 = Beta2, AdamEpsilon = Epsilon, WeightDecay = decay }, parameters);

    private static void Train(IOptimizer optimizer, Tensor value, int steps)
    {
        for (int i = 0; i < steps; i++)
        {
            GiveGradient(value, [0.1, -0.2, 0.3, optimizer.Steps, 1e-9]);
            optimizer.CollectGradients();
            optimizer.Step(0.01, 1);
        }
    }

    // d(Σ g·p)/dp = g
    private static void GiveGradient(Tensor parameter, double[] gradient)
    {
        using DisposeScope scope = NewDisposeScope();
        parameter.mul(tensor([.. gradient.Select(g => (float)g)]).reshape(parameter.shape)).sum().backward();
    }

    private static void Same(double[] expected, Tensor actual) =>
        Assert.Equal(expected, actual.data<float>().ToArray().Select(v => (double)v), (x, y) => Math.Abs(x - y) < 2e-6);

    private sealed class Reference(double[] values, double decay)
    {
        private readonly double[] m = new double[values.Length];
        private readonly double[] v = new double[values.Length];
        private int t;

        public double[] Values { get; } = values;

        public void Step(double[] g, double rate)
        {
            t++;
            for (int i = 0; i < Values.Length; i++)
            {
                Values[i] *= 1 - (rate * decay);
                m[i] = (Beta1 * m[i]) + ((1 - Beta1) * g[i]);
                v[i] = (Beta2 * v[i]) + ((1 - Beta2) * g[i] * g[i]);
                Values[i] -= rate * (m[i] / (1 - Math.Pow(Beta1, t))) / (Math.Sqrt(v[i] / (1 - Math.Pow(Beta2, t))) + Epsilon);
            }
        }
    }
}
