using LoraBuild.Engine.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class RopeTests
{
    [Theory]
    [InlineData(9, 3, 64, 32, false)]
    [InlineData(130, 2, 16, 8, true)]
    [InlineData(1, 1, 80, 16, false)]
    [InlineData(50, 4, 24, 6, true)]
    public void The_fused_kernel_gives_what_the_tensor_calls_give_forward_and_backward(int rows, int heads, int width, int half, bool isView)
    {
        using DisposeScope scope = NewDisposeScope();
        Generator generator = new(5, CPU);
        int columns = (heads * width) + (isView ? 7 : 0);
        float[] values = randn([rows, columns], generator: generator).data<float>().ToArray();
        Tensor cos = randn([rows, 1, half], generator: generator), sin = randn([rows, 1, half], generator: generator);
        Tensor upstream = randn([rows, heads, width], generator: generator);

        (float[] Y, float[] Dx) fused = Run(Rope.Apply), plain = Run(Rope.Reference);

        KernelAssert.Close(plain.Y, fused.Y, 1e-6);
        KernelAssert.Close(plain.Dx, fused.Dx, 1e-6);

        (float[], float[]) Run(Func<Tensor, Tensor, Tensor, Tensor> rotate)
        {
            Tensor x = tensor(values, [rows, columns]).requires_grad_();
            Tensor y = rotate(x.narrow(1, columns - (heads * width), heads * width).view(rows, heads, width), cos, sin);
            autograd.backward([y], [upstream]);
            return (y.detach().data<float>().ToArray(), x.grad!.data<float>().ToArray());
        }
    }

    [Fact]
    public void Its_input_may_be_written_into_before_the_backward_pass()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = ones([2, 1, 4]).requires_grad_();
        Tensor copy = x.mul(1.0);
        Tensor y = Rope.Apply(copy, zeros([2, 1, 2]), ones([2, 1, 2]));
        copy.detach().fill_(7);
        y.sum().backward();
        // (a, b) → (−b, a): the gradient of the sum is (1, −1).
        Assert.Equal([1, 1, -1, -1, 1, 1, -1, -1], x.grad!.data<float>().ToArray());
    }
}
