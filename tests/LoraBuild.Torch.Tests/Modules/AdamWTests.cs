// AdamW and clipping against the formulas in double precision.
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Modules;

public sealed class AdamWTests
{
    private static Parameter Leaf(double[] values, ScalarType type) => new(tensor(values, type));

    private static void Put(Parameter parameter, double[] gradient)
    {
        using Tensor value = tensor(gradient, parameter.dtype);
        parameter.grad = value;
    }

    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)] // fp32, five steps
    [InlineData(ScalarType.Float64, 1e-12)]
    public void Five_steps_equal_the_formula(ScalarType type, double tolerance)
    {
        const double lr = 0.01, beta1 = 0.9, beta2 = 0.99, eps = 1e-8, decay = 0.1;
        double[] w = [1, -2, 3], m = [0, 0, 0], v = [0, 0, 0];
        using Parameter parameter = Leaf(w, type);
        using AdamW optimizer = optim.AdamW([parameter], lr, beta1, beta2, eps, decay);
        for (int step = 1; step <= 5; step++)
        {
            double[] g = [0.5 * step, -0.1, Math.Sin(step)];
            Put(parameter, g);
            optimizer.step();
            for (int i = 0; i < 3; i++)
            {
                w[i] *= 1 - lr * decay;
                m[i] = beta1 * m[i] + (1 - beta1) * g[i];
                v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
                w[i] -= lr * (m[i] / (1 - Math.Pow(beta1, step))) / (Math.Sqrt(v[i] / (1 - Math.Pow(beta2, step))) + eps);
            }
        }

        using Tensor result = parameter.detach().to(float64);
        double[] got = result.data<double>().ToArray();
        for (int i = 0; i < 3; i++) Assert.Equal(w[i], got[i], tolerance);
    }

    [Fact]
    public void Groups_have_their_own_decay_and_rate_and_a_parameter_without_gradient_stays()
    {
        using Parameter a = Leaf([1], float32), b = Leaf([1], float32), c = Leaf([1], float32);
        using AdamW optimizer = optim.AdamW(
        [
            new AdamW.ParamGroup([a, c], lr: 0.1, weight_decay: 0.5),
            new AdamW.ParamGroup([b], lr: 0.1, weight_decay: 0),
        ]);
        foreach (optim.ILearningRateController group in optimizer.ParamGroups) group.LearningRate = 0.01;
        Put(a, [0]);
        Put(b, [0]);
        optimizer.step();
        Assert.Equal(0.995f, a.item<float>(), 6);
        Assert.Equal(1f, b.item<float>());
        Assert.Equal(1f, c.item<float>());
        optimizer.zero_grad();
        Assert.Null(a.grad);
    }

    [Fact]
    public void A_state_that_is_loaded_goes_on_as_the_first()
    {
        using Parameter a = Leaf([1, 2], float32), b = Leaf([1, 2], float32);
        using AdamW first = optim.AdamW([a], 0.1), second = optim.AdamW([b], 0.2);
        Put(a, [1, -1]);
        first.step();
        using (no_grad()) b.copy_(a);
        second.load_state_dict(first.state_dict());
        Assert.Equal(1, ((AdamW.State)second.state_dict().State[0]).step);
        Put(a, [0.5, 2]);
        Put(b, [0.5, 2]);
        first.step();
        second.step();
        Assert.True(a.Equals(b));
    }

    [Fact]
    public void Amsgrad_takes_the_largest_second_moment()
    {
        using Parameter a = Leaf([1], float64);
        using AdamW optimizer = optim.AdamW([a], 0.1, 0.9, 0.5, 0, amsgrad: true);
        Put(a, [2]);
        optimizer.step();
        Assert.Equal(0.9, a.item<double>(), 12);
        Put(a, [0]);
        optimizer.step();
        // m = 0.9·0.2 = 0.18, corrected by 0.19; the largest v = 2 stays, corrected by 0.75.
        Assert.Equal(0.9 - 0.1 * (0.18 / 0.19) / Math.Sqrt(2 / 0.75), a.item<double>(), 12);
    }

    [Fact]
    public void Clipping_scales_all_gradients_together()
    {
        using Parameter a = Leaf([0, 0], float32), b = Leaf([0], float32), c = Leaf([0], float32);
        Put(a, [3, 0]);
        Put(b, [4]);
        Assert.Equal(5, nn.utils.clip_grad_norm_([a, b, c], 1), 6);
        using Tensor first = a.grad, second = b.grad;
        Assert.Equal(0.6f, first[0].item<float>(), 5);
        Assert.Equal(0.8f, second.item<float>(), 5);
        Assert.Equal(1, nn.utils.clip_grad_norm_([a, b], 10), 5);
        Assert.Equal(0.8f, second.item<float>(), 5);
    }
}
