using LoraBuild.Engine.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class RmsNormTests
{
    [Theory]
    [InlineData(7, 48, false)]
    [InlineData(1, 576, true)]
    [InlineData(130, 33, false)]
    [InlineData(64, 256, true)]
    public void The_fused_kernel_gives_what_the_tensor_calls_give_forward_and_backward(int rows, int width, bool hasUnitOffset)
    {
        using DisposeScope scope = NewDisposeScope();
        Generator generator = new(5, CPU);
        float[] values = randn([rows, width], generator: generator).data<float>().ToArray();
        float[] factors = randn([width], generator: generator).data<float>().ToArray();
        Tensor upstream = randn([rows, width], generator: generator);

        (float[] Y, float[] Dx, float[] Dw) fused = Run(RmsNorm.Apply), plain = Run(RmsNorm.Reference);

        KernelAssert.Close(plain.Y, fused.Y, 2e-6);
        KernelAssert.Close(plain.Dx, fused.Dx, 5e-6);
        KernelAssert.Close(plain.Dw, fused.Dw, 2e-5);

        (float[], float[], float[]) Run(Func<Tensor, Tensor, double, bool, Tensor> norm)
        {
            Tensor x = tensor(values, [rows, width]).requires_grad_();
            Tensor w = tensor(factors).requires_grad_();
            Tensor y = norm(x, w, 1e-5, hasUnitOffset);
            autograd.backward([y], [upstream]);
            return (y.detach().data<float>().ToArray(), x.grad!.data<float>().ToArray(), w.grad!.data<float>().ToArray());
        }
    }

    [Fact]
    public void A_view_that_is_not_contiguous_is_read_right()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor wide = randn([6, 96]);
        Tensor x = wide.narrow(1, 16, 48);
        Tensor w = randn([48]);
        KernelAssert.Close(RmsNorm.Reference(x, w, 1e-6, false).data<float>().ToArray(), RmsNorm.Apply(x, w, 1e-6, false).data<float>().ToArray(), 2e-6);
    }
}
