// What runs on the processor too of what is meant for devices.
using LoraBuild.Torch.Kernels;
using LoraBuild.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Cuda;

public sealed class DeviceKernelTests
{
    [Fact]
    public void The_total_norm_is_that_of_all_numbers_together()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor[] tensors = [tensor(new float[] { 1, -2 }), tensor(new float[] { 2 }), tensor(new float[] { 4, 0, 0 }).to(ScalarType.BFloat16)];
        Assert.Equal(5, DeviceKernels.TotalNorm(tensors), 6);
        Assert.Equal(0, DeviceKernels.TotalNorm([]));
    }

    [Fact]
    public void A_tensor_of_the_processor_is_none_for_the_CUDA_kernels()
    {
        using Tensor x = zeros(4);
        Assert.False(CudaKernels.Fit(x));
        Assert.Null(DeviceMemory.Of(CPU));
        Assert.Null(DeviceMemory.FreeBytes(CPU));
    }

    [Fact]
    public void A_libtorch_with_a_device_has_CUDA() => Assert.True(NativeRuntime.LibtorchHasCuda || !cuda.is_available());

    [AttentionFact]
    public void Attention_by_libtorch_sees_only_its_own_document_and_window()
    {
        using DisposeScope scope = NewDisposeScope();
        using Generator generator = new(3, CPU);
        long[] starts = [0, 5, 10, 11, 24];
        Tensor q = randn([24, 4, 16], generator: generator), k = randn([24, 2, 16], generator: generator), v = randn([24, 2, 16], generator: generator);
        foreach (int window in new[] { 0, 3 })
        {
            Tensor actual = DeviceKernels.Attention(q, k, v, starts, 0.25, window);
            for (int head = 0; head < 4; head++)
            {
                for (int row = 0; row < 24; row++)
                {
                    long first = starts.Last(s => s <= row);
                    if (window > 0)
                        first = Math.Max(first, row - window + 1);
                    Tensor keys = k.select(1, head / 2).narrow(0, first, row - first + 1), values = v.select(1, head / 2).narrow(0, first, row - first + 1);
                    Tensor expected = keys.matmul(q.select(0, row).select(0, head)).mul(0.25).softmax(0).unsqueeze(0).matmul(values).squeeze(0);
                    Tensor difference = actual.select(0, row).narrow(0, head * 16, 16).sub(expected).abs().max();
                    Assert.True(difference.item<float>() < 1e-5, $"head {head}, row {row}, window {window}");
                }
            }
        }
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class AttentionFactAttribute : FactAttribute
    {
        public AttentionFactAttribute() => Skip = DeviceKernels.HasAttention ? null : "libtorch is older than 2.6";
    }
}
