// Analytic gradients against central differences in double precision.
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Torch;

public sealed class GradientTests
{
    public static TheoryData<string> Functions() =>
        ["silu", "gelu", "softmax", "log_softmax", "cross_entropy", "attention", "causal_attention", "rms_norm", "logsumexp", "index", "cat", "linear", "var", "where"];

    private static Tensor Apply(string name, Tensor x) => name switch // x [3, 4]
    {
        "silu" => nn.functional.silu(x),
        "gelu" => nn.functional.gelu(x),
        "softmax" => x.softmax(-1) * arange(12, float64).reshape(3, 4),
        "log_softmax" => x.log_softmax(-1) * arange(12, float64).reshape(3, 4),
        "cross_entropy" => nn.functional.cross_entropy(x, tensor(new[] { 1L, -100L, 3L })),
        "attention" => nn.functional.scaled_dot_product_attention(x[None, None], (x * 2)[None, None], x.sin()[None, None]),
        "causal_attention" => nn.functional.scaled_dot_product_attention(x[None, None], (x * 2)[None, None], x.sin()[None, None], is_casual: true),
        "rms_norm" => x * (x.pow(2).mean([-1], keepdim: true) + 1e-5).rsqrt(),
        "logsumexp" => x.logsumexp(1),
        "index" => x[tensor(new[] { 2L, 0L, 2L }).AsIndex(), 1..3],
        "cat" => cat([x.narrow(0, 0, 2), x.t().reshape(3, 4)]) * arange(20, float64).reshape(5, 4),
        "linear" => nn.functional.linear(x, x.sin(), x.cos().sum(1)),
        "var" => x.var(1L),
        "where" => torch_where(x),
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };

    private static readonly TensorIndex None = TensorIndex.None;

    private static Tensor torch_where(Tensor x) => where(x > 0, x.exp(), x * 3);

    [Theory]
    [MemberData(nameof(Functions))]
    public void Gradient_equals_central_difference(string name)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(11);
        Tensor x = randn([3, 4], float64, generator: generator).requires_grad_();
        Apply(name, x).sum().backward();
        double[] gradient = x.grad.data<double>().ToArray();
        const double h = 1e-5;
        using IDisposable mode = no_grad();
        for (int i = 0; i < 12; i++)
        {
            Tensor up = x.detach().clone(), down = x.detach().clone();
            up.view(-1)[i] = x.view(-1)[i] + h;
            down.view(-1)[i] = x.view(-1)[i] - h;
            double numeric = (Apply(name, up).sum().ToDouble() - Apply(name, down).sum().ToDouble()) / (2 * h);
            Assert.Equal(numeric, gradient[i], 1e-6);
        }
    }

    [Fact]
    public void Gradients_on_request_leave_the_leaves_alone()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 3.0 }, requires_grad: true);
        IList<Tensor> found = autograd.grad([x * x * x], [x], retain_graph: true, create_graph: true);
        Assert.Equal(27, found[0].ToDouble());
        Assert.Equal(18, autograd.grad([found[0]], [x])[0].ToDouble());
        Assert.Null(x.grad);
    }

    [Fact]
    public void Modes_nest_and_end()
    {
        Assert.True(is_grad_enabled());
        using (no_grad())
        {
            using (enable_grad()) Assert.True(is_grad_enabled());
            Assert.False(is_grad_enabled());
        }

        Assert.True(is_grad_enabled());
        using (inference_mode()) Assert.True(is_inference_mode_enabled());
        Assert.False(is_inference_mode_enabled());
    }
}

internal static class TensorIndexExtensions
{
    internal static TensorIndex AsIndex(this Tensor tensor) => TensorIndex.Tensor(tensor);
}
