// Functions written in C#: their gradients, what they save, and what happens when backward throws.
using System.Runtime.InteropServices;
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Torch;

public sealed class AutogradFunctionTests
{
    /// <summary>x² with an extra number argument: scale · x².</summary>
    private sealed class ScaledSquare : autograd.SingleTensorFunction<ScaledSquare>
    {
        public override string Name => nameof(ScaledSquare);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            var x = (Tensor)vars[0];
            double scale = (double)vars[1];
            ctx.save_for_backward([x]);
            ctx.save_data("scale", scale);
            return x * x * scale;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            Tensor x = ctx.get_saved_variables()[0];
            return [grad_output * x * (2 * (double)ctx.get_data("scale")!), null!];
        }
    }

    private sealed class Throwing : autograd.SingleTensorFunction<Throwing>
    {
        public override string Name => nameof(Throwing);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars) => ((Tensor)vars[0]).clone();

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) => throw new FormatException("thrown in backward");
    }

    private sealed class SumAndDifference : autograd.MultiTensorFunction<SumAndDifference>
    {
        public override string Name => nameof(SumAndDifference);

        public override List<Tensor> forward(autograd.AutogradContext ctx, params object[] vars) =>
            [(Tensor)vars[0] + (Tensor)vars[1], (Tensor)vars[0] - (Tensor)vars[1]];

        public override List<Tensor> backward(autograd.AutogradContext ctx, List<Tensor> grad_outputs) =>
            [grad_outputs[0] + grad_outputs[1], grad_outputs[0] - grad_outputs[1]];
    }

    /// <summary>Computes again in backward what forward did not keep: exp(x)·x.</summary>
    private sealed class Checkpointed : autograd.SingleTensorFunction<Checkpointed>
    {
        public override string Name => nameof(Checkpointed);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_for_backward([(Tensor)vars[0]]);
            return Inner((Tensor)vars[0]);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            Tensor x = ctx.get_saved_variables()[0].detach().requires_grad_();
            using (enable_grad()) autograd.backward([Inner(x)], [grad_output]);
            return [x.grad];
        }

        private static Tensor Inner(Tensor x) => x.exp() * x;
    }

    private sealed class WrongCount : autograd.SingleTensorFunction<WrongCount>
    {
        public override string Name => nameof(WrongCount);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars) => (Tensor)vars[0] + (Tensor)vars[1];

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) => [grad_output];
    }

    private sealed class Same : autograd.SingleTensorFunction<Same>
    {
        public override string Name => nameof(Same);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars) => (Tensor)vars[0];

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) => [grad_output * 3];
    }

    /// <summary>Returns its saved output: exp(x).</summary>
    private sealed class Exponential : autograd.SingleTensorFunction<Exponential>
    {
        public override string Name => nameof(Exponential);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            Tensor y = ((Tensor)vars[0]).exp();
            ctx.save_for_backward([y]);
            return y;
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output) => [grad_output * ctx.get_saved_variables()[0]];
    }

    [Fact]
    public void Backward_is_called_with_what_forward_saved()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 1f, 2f, 3f }, requires_grad: true);
        Tensor y = ScaledSquare.apply(x, 0.5);
        Assert.True(y.requires_grad);
        Assert.Equal([0.5f, 2f, 4.5f], y.data<float>().ToArray());
        y.sum().backward();
        Assert.Equal([1f, 2f, 3f], x.grad.data<float>().ToArray());
    }

    [Fact]
    public void Without_gradients_nothing_is_recorded()
    {
        using var scope = NewDisposeScope();
        Assert.False(ScaledSquare.apply(tensor(new[] { 1f }), 1.0).requires_grad);
        Tensor x = tensor(new[] { 1f }, requires_grad: true);
        using (no_grad()) Assert.False(ScaledSquare.apply(x, 1.0).requires_grad);
    }

    [Fact]
    public void An_exception_in_backward_is_thrown_by_the_call_of_backward()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 1f }, requires_grad: true);
        Tensor loss = (Throwing.apply(x * 2) * 3).sum();
        var error = Assert.Throws<FormatException>(() => loss.backward());
        Assert.Equal("thrown in backward", error.Message);

        // The engine goes on working.
        ScaledSquare.apply(x, 1.0).sum().backward();
        Assert.Equal(2f, x.grad.item<float>());
    }

    [Fact]
    public void A_wrong_number_of_gradients_is_an_exception()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 1f }, requires_grad: true);
        var error = Assert.Throws<InvalidOperationException>(() => WrongCount.apply(x, x).backward());
        Assert.Contains("1 gradients for 2 arguments", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_function_of_two_outputs()
    {
        using var scope = NewDisposeScope();
        Tensor a = tensor(new[] { 2f }, requires_grad: true), b = tensor(new[] { 5f }, requires_grad: true);
        List<Tensor> both = SumAndDifference.apply(a, b);
        (both[0] * 10 + both[1]).sum().backward();
        Assert.Equal(11f, a.grad.item<float>());
        Assert.Equal(9f, b.grad.item<float>());

        // Only one output is used: the other's gradient comes as zeros.
        a.grad = null!;
        SumAndDifference.apply(a, b)[1].sum().backward();
        Assert.Equal(1f, a.grad!.item<float>());
    }

    [Fact]
    public void A_backward_may_run_a_backward()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 0.5f, 1f }, requires_grad: true), z = tensor(new[] { 0.5f, 1f }, requires_grad: true);
        (Checkpointed.apply(x) * 2).sum().backward();
        (z.exp() * z * 2).sum().backward();
        Assert.True(x.grad.allclose(z.grad));
    }

    [Fact]
    public void An_argument_returned_as_the_output_gets_a_history_of_its_own()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 1f }, requires_grad: true);
        Tensor y = Same.apply(x);
        Assert.True(x.is_leaf);
        Assert.False(y.is_leaf);
        y.backward();
        Assert.Equal(3f, x.grad.item<float>());
    }

    [Fact]
    public void An_output_can_be_saved_without_a_cycle()
    {
        long before = NativeRuntime.LiveTensorCount;
        for (int i = 0; i < 100; i++)
        {
            using var scope = NewDisposeScope();
            Tensor x = tensor(new[] { 1f }, requires_grad: true);
            Exponential.apply(x).backward();
            Assert.Equal(MathF.E, x.grad.item<float>(), 5);
        }

        Assert.InRange(NativeRuntime.LiveTensorCount - before, -50, 50);
    }

    [Fact]
    public void Saved_tensors_are_freed_by_backward()
    {
        using var scope = NewDisposeScope();
        Tensor x = tensor(new[] { 1f }, requires_grad: true);
        Tensor y = ScaledSquare.apply(x, 1.0).sum();
        y.backward(retain_graph: true);
        y.backward();
        Assert.Equal(4f, x.grad.item<float>());
        var error = Assert.Throws<ExternalException>(() => y.backward());
        Assert.Contains("earlier backward", error.Message, StringComparison.Ordinal);
    }
}
