// Elementary arithmetic, views, gradients and losses against values worked out by hand.
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Tensors;

public sealed class TensorBasicsTests
{
    [Fact]
    public void Arithmetic_with_tensors_and_numbers()
    {
        using var scope = NewDisposeScope();
        Tensor a = tensor(new[] { 1f, 2f, 3f });
        Assert.Equal([3f, 5f, 7f], (a * 2 + 1).data<float>().ToArray());
        Assert.Equal([0.5f, 0f, -0.5f], ((2 - a) / 2).data<float>().ToArray());
        Assert.Equal([6f, 3f, 2f], (6.0 / a).data<float>().ToArray());
        Assert.Equal(ScalarType.Float32, (a * 2.5).dtype);
        Assert.Equal([1f, 4f, 9f], a.pow(2).data<float>().ToArray());
        Assert.Equal(14f, (a * a).sum().item<float>());
        Assert.Equal([false, false, true], (a > 2).data<bool>().ToArray());
    }

    [Fact]
    public void Views_share_memory()
    {
        using var scope = NewDisposeScope();
        Tensor a = arange(12).reshape(3, 4);
        Assert.Equal([3L, 4L], a.shape);
        a.narrow(1, 1, 2).fill_(0);
        Assert.Equal([0L, 0L, 0L, 3L, 4L, 0L, 0L, 7L, 8L, 0L, 0L, 11L], a.data<long>().ToArray());
        Assert.Equal([0L, 4L, 8L], a.t()[0].data<long>().ToArray());
        Assert.Equal([3L, 7L, 11L], a[.., ^1].data<long>().ToArray());
        Assert.Equal([8L, 11L], a[2].index_select(0, tensor(new[] { 0L, 3L })).data<long>().ToArray());
    }

    [Fact]
    public void Gradient_of_a_linear_layer()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[,] { { 1f, 2f } });
        Tensor w = tensor(new[,] { { 3f, 4f }, { 5f, 6f } }, requires_grad: true);
        Tensor y = nn.functional.linear(x, w);
        Assert.Equal([11f, 17f], y.data<float>().ToArray());
        y.sum().backward();
        Assert.Equal([1f, 2f, 1f, 2f], w.grad.data<float>().ToArray());
    }

    [Theory]
    [InlineData("matmul")]
    [InlineData("mm")]
    [InlineData("bmm")]
    [InlineData("linear")]
    [InlineData("addmm")]
    [InlineData("baddbmm")]
    public void A_product_of_shapes_that_do_not_fit_names_both(string product)
    {
        using var scope = NewDisposeScope();
        bool isBatched = product is "bmm" or "baddbmm";
        Tensor a = isBatched ? zeros(2, 3, 4) : zeros(3, 4), b = isBatched ? zeros(2, 5, 6) : zeros(5, 6);
        var error = Assert.Throws<ExternalException>(() => product switch
        {
            "matmul" => matmul(a, b),
            "mm" => mm(a, b),
            "bmm" => bmm(a, b),
            "linear" => nn.functional.linear(a, b),
            "addmm" => zeros(3, 6).addmm(a, b),
            _ => zeros(2, 3, 6).baddbmm(a, b),
        });
        Assert.Contains(isBatched ? "[2, 3, 4]" : "[3, 4]", error.Message, StringComparison.Ordinal);
        Assert.Contains(isBatched ? "[2, 5, 6]" : "[5, 6]", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Every_way_to_make_a_tensor_can_ask_for_a_gradient()
    {
        using var scope = NewDisposeScope();
        Tensor[] made =
        [
            zeros(2, requires_grad: true), ones(2, requires_grad: true), empty(2, requires_grad: true), full(2, 1.5, requires_grad: true),
            arange(2.0, requires_grad: true), linspace(0, 1, 2, requires_grad: true), eye(2, requires_grad: true), rand(2, requires_grad: true),
            randn(2, requires_grad: true), tensor(2f, requires_grad: true), zeros_like(ones(2), requires_grad: true), ones_like(ones(2), requires_grad: true),
            empty_like(ones(2), requires_grad: true), full_like(ones(2), 1, requires_grad: true), randn_like(ones(2), requires_grad: true),
        ];
        Assert.All(made, tensor => Assert.True(tensor.requires_grad && tensor.is_leaf));
    }

    [Fact]
    public void Every_core_is_used() => Assert.Equal(Environment.ProcessorCount, get_num_threads());
}
