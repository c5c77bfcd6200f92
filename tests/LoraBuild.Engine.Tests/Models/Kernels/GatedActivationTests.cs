using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class GatedActivationTests
{
    [Theory]
    [InlineData(Activation.Silu, 7, 48)]
    [InlineData(Activation.Silu, 130, 33)]
    [InlineData(Activation.Gelu, 1, 576)]
    [InlineData(Activation.Gelu, 64, 100)]
    [InlineData(Activation.GeluTanh, 33, 65)]
    public void The_fused_kernel_gives_what_the_tensor_calls_give_forward_and_backward(Activation activation, int rows, int width)
    {
        using DisposeScope scope = NewDisposeScope();
        Generator generator = new(3, CPU);
        // Up to ±20, so that both ends of the functions are reached.
        float[] gates = randn([rows, width], generator: generator).mul_(5).data<float>().ToArray();
        float[] ups = randn([rows, width], generator: generator).data<float>().ToArray();
        Tensor upstream = randn([rows, width], generator: generator);

        (float[] Y, float[] Gate, float[] Up) fused = Run(GatedActivation.Apply), plain = Run(GatedActivation.Reference);

        KernelAssert.Close(plain.Y, fused.Y, 1e-6);
        KernelAssert.Close(plain.Gate, fused.Gate, 2e-6);
        KernelAssert.Close(plain.Up, fused.Up, 1e-6);

        (float[], float[], float[]) Run(Func<Tensor, Tensor, Activation, Tensor> function)
        {
            Tensor gate = tensor(gates, [rows, width]).requires_grad_(), up = tensor(ups, [rows, width]).requires_grad_();
            Tensor y = function(gate, up, activation);
            autograd.backward([y], [upstream]);
            return (y.detach().data<float>().ToArray(), gate.grad!.data<float>().ToArray(), up.grad!.data<float>().ToArray());
        }
    }

    [Fact]
    public void Halves_of_one_tensor_are_read_where_they_stand()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor both = randn([9, 80]);
        Tensor gate = both.narrow(1, 0, 40), up = both.narrow(1, 40, 40);
        KernelAssert.Close(
            GatedActivation.Reference(gate, up, Activation.Silu).data<float>().ToArray(), GatedActivation.Apply(gate, up, Activation.Silu).data<float>().ToArray(), 1e-6);
    }

    [Fact]
    public void Far_out_the_gate_is_open_or_shut_and_nothing_overflows()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor gate = tensor(new[] { -1000f, -90f, 0f, 90f, 1000f }, [1, 5]).requires_grad_();
        Tensor y = GatedActivation.Apply(gate, ones([1, 5]), Activation.Silu);
        y.sum().backward();
        Assert.Equal([0, 0, 0, 90, 1000], y.detach().data<float>().ToArray().Select(v => Math.Round(v, 3)));
        Assert.Equal([0, 0, 0.5, 1, 1], gate.grad!.data<float>().ToArray().Select(v => Math.Round(v, 3)));
    }
}
