using LoraBuild.Engine.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class CrossEntropyTests
{
    [Theory]
    [InlineData(7, 31, 1.0, 0.0, 0.0, false)]
    [InlineData(3, 5003, 0.4, 0.0, 0.0, true)]
    [InlineData(5, 4096, 1.0, 3.0, 0.0, false)]
    [InlineData(5, 2049, 0.7, 2.0, 0.2, true)]
    [InlineData(1, 16, 1.0, 0.0, 0.1, false)]
    public void The_fused_kernel_gives_what_the_tensor_calls_give(int rows, int vocabulary, double scale, double cap, double smoothing, bool hasWeights)
    {
        using DisposeScope scope = NewDisposeScope();
        Generator generator = new(5, CPU);
        Tensor logits = randn([rows, vocabulary], generator: generator).mul(4);
        Tensor targets = randint(0, vocabulary, [rows], dtype: ScalarType.Int64, generator: generator);
        Tensor? weights = hasWeights ? randn([rows], generator: generator) : null;
        double? softcap = cap == 0 ? null : cap;

        (Tensor plainLosses, Tensor? plain) = CrossEntropy.Reference(logits.clone(), targets, weights, scale, softcap, smoothing, true);
        (Tensor losses, Tensor? fused) = CrossEntropy.Apply(logits.clone(), targets, weights, scale, softcap, smoothing, true);
        (Tensor alone, Tensor? none) = CrossEntropy.Apply(logits.clone(), targets, weights, scale, softcap, smoothing, false);

        Assert.Null(none);
        KernelAssert.Close(plainLosses.data<float>().ToArray(), losses.data<float>().ToArray(), 2e-6);
        KernelAssert.Close(plain!.data<float>().ToArray(), fused!.data<float>().ToArray(), 5e-6);
        Assert.Equal(losses.data<float>().ToArray(), alone.data<float>().ToArray());
    }

    [Fact]
    public void Logits_far_apart_give_losses_and_gradients_that_are_finite()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor logits = tensor([-1000f, 0f, 1000f, 1000f, 0f, float.NegativeInfinity], [2, 3]);
        (Tensor losses, Tensor? gradient) = CrossEntropy.Apply(logits, tensor([0L, 1L]), null, 1, null, 0, true);
        Assert.Equal([2000f, 1000f], losses.data<float>().ToArray());
        Assert.Equal([-1f, 0f, 1f, 1f, -1f, 0f], gradient!.data<float>().ToArray());
    }
}
