// Every CUDA kernel beside the tensor calls that it stands for, on the same device and the same values.
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Optimizers;
using LoraBuild.Torch.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class CudaKernelTests
{
    [CudaTheory]
    [InlineData(ScalarType.Float32, 896, false)]
    [InlineData(ScalarType.BFloat16, 896, false)]
    [InlineData(ScalarType.BFloat16, 3584, true)]
    [InlineData(ScalarType.BFloat16, 33, true)]
    public void RmsNorm_gives_what_the_tensor_calls_give(ScalarType type, int width, bool hasUnitOffset)
    {
        using DisposeScope scope = NewDisposeScope();
        Compare(
            type,
            [[67, width], [width]],
            t => RmsNorm.Apply(t[0], t[1], 1e-5, hasUnitOffset),
            t => RmsNorm.Reference(t[0], t[1], 1e-5, hasUnitOffset));
    }

    [CudaTheory]
    [InlineData(ScalarType.Float32, 64, 32)]
    [InlineData(ScalarType.BFloat16, 128, 64)]
    [InlineData(ScalarType.BFloat16, 96, 24)]
    [InlineData(ScalarType.BFloat16, 80, 20)]
    public void Rope_gives_what_the_tensor_calls_give(ScalarType type, int headDim, int half)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor angles = OnDevice([19, 1, half], ScalarType.Float32, 3);
        (Tensor cos, Tensor sin) = (angles.cos().to(type), angles.sin().to(type));
        Compare(type, [[19, 5, headDim]], t => Rope.Apply(t[0], cos, sin), t => Rope.Reference(t[0], cos, sin));
    }

    [CudaTheory]
    [InlineData(ScalarType.Float32, Activation.Silu)]
    [InlineData(ScalarType.BFloat16, Activation.Silu)]
    [InlineData(ScalarType.BFloat16, Activation.Gelu)]
    [InlineData(ScalarType.BFloat16, Activation.GeluTanh)]
    public void The_gate_gives_what_the_tensor_calls_give(ScalarType type, Activation activation)
    {
        using DisposeScope scope = NewDisposeScope();
        Compare(type, [[41, 264], [41, 264]], t => GatedActivation.Apply(t[0], t[1], activation), t => GatedActivation.Reference(t[0], t[1], activation));
        // Both halves of a fused projection: rows that are wider than the gate.
        Compare(
            type,
            [[41, 528]],
            t => GatedActivation.Apply(t[0].narrow(1, 0, 264), t[0].narrow(1, 264, 264), activation),
            t => GatedActivation.Reference(t[0].narrow(1, 0, 264), t[0].narrow(1, 264, 264), activation));
    }

    [CudaTheory]
    [InlineData(ScalarType.Float32, null)]
    [InlineData(ScalarType.BFloat16, null)]
    [InlineData(ScalarType.BFloat16, 40)]
    public void Attention_keeps_documents_apart_as_the_tensor_calls_do(ScalarType type, int? window)
    {
        using DisposeScope scope = NewDisposeScope();
        using AttentionMasks masks = new();
        DocumentRun[] runs = [new(0, 2, 17), new(34, 1, 5), new(39, 1, 150)];
        Compare(
            type,
            [[189, 6, 64], [189, 2, 64], [189, 2, 64]],
            t => Attention.Packed(t[0], t[1], t[2], runs, masks, 0.125, null, window),
            t => Attention.PackedReference(t[0], t[1], t[2], runs, masks, 0.125, null, window));
    }

    [CudaTheory]
    [InlineData(ScalarType.Float32, null, 0)]
    [InlineData(ScalarType.BFloat16, null, 0)]
    [InlineData(ScalarType.Float32, 30.0, 0.1)]
    [InlineData(ScalarType.BFloat16, 30.0, 0.1)]
    public void The_loss_and_its_gradients_are_those_of_the_processor(ScalarType type, double? softcap, double smoothing)
    {
        using DisposeScope scope = NewDisposeScope();
        (double Sum, float[] Hidden, float[] Weight) device = Run(CudaTest.Device), processor = Run(CPU);

        Assert.Equal(processor.Sum, device.Sum, Math.Abs(processor.Sum) * 1e-4);
        KernelAssert.Close(processor.Hidden, device.Hidden, Tolerance(type));
        KernelAssert.Close(processor.Weight, device.Weight, Tolerance(type));

        (double, float[], float[]) Run(Device place)
        {
            Tensor hidden = Values([50, 48], 1).to(type, place), weight = Values([333, 48], 2).to(type, place);
            Tensor targets = tensor(Enumerable.Range(0, 50).Select(i => (long)(i * 7 % 333)).ToArray(), device: place);
            Tensor weights = Values([50], 3).abs().to(ScalarType.Float32, place);
            Tensor hiddenGradient = empty_like(hidden), weightGradient = zeros(weight.shape, dtype: ScalarType.Float32, device: place);
            double sum = new HeadCrossEntropy(weight, 0.5, softcap, smoothing).Run(hidden, targets, 0.02, hiddenGradient, weightGradient, 8, weights);
            return (sum, TensorTypes.ToFloat32Array(hiddenGradient), TensorTypes.ToFloat32Array(weightGradient));
        }
    }

    [CudaTheory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void AdamW_in_one_launch_is_AdamW_by_tensor_calls(ScalarType type)
    {
        using DisposeScope scope = NewDisposeScope();
        float[] fused = Run(isFused: true), plain = Run(isFused: false);
        KernelAssert.Close(plain, fused, Tolerance(type));

        float[] Run(bool isFused)
        {
            TrainedParameter[] parameters = [.. Enumerable.Range(0, 61).Select(i => new TrainedParameter($"{i}.weight", OnDevice([3, 40 + i], type, 10 + i).requires_grad_(), 0.1, 1 + (i % 2)))];
            using ElementwiseOptimizer optimizer = new(new AdamWRule(0.9, 0.99, 1e-8), parameters, isFused);
            for (int step = 0; step < 3; step++)
            {
                foreach (TrainedParameter parameter in parameters.Skip(1)) // the first has no gradient
                    parameter.Value.to(ScalarType.Float32).square().sum().backward();
                double norm = optimizer.CollectGradients();
                Assert.True(norm > 0);
                optimizer.Step(1e-2, 0.5);
            }

            return [.. parameters.SelectMany(p => TensorTypes.ToFloat32Array(p.Value))];
        }
    }

    [CudaTheory]
    [InlineData(WeightCode.Nf4, ScalarType.Float32, 96, false)]
    [InlineData(WeightCode.Nf4, ScalarType.BFloat16, 128, true)]
    [InlineData(WeightCode.Fp4, ScalarType.BFloat16, 33, false)]
    [InlineData(WeightCode.Int8, ScalarType.Float32, 33, false)]
    [InlineData(WeightCode.Int8, ScalarType.BFloat16, 160, false)]
    public void A_product_with_compressed_weights_is_one_with_the_decoded_weights(WeightCode code, ScalarType type, int columns, bool isNested)
    {
        using DisposeScope scope = NewDisposeScope();
        const int rows = 170, block = 64;
        PackedArrays packed = PackedArrays.Encode(code, TensorTypes.ToFloat32Array(Values([rows, columns], 5)), [rows, columns], block, isNested);
        using QuantizedWeight weight = QuantizedWeight.Of(packed, type, CudaTest.Device);
        Tensor decoded = weight.ReferenceRows(0, rows);

        Assert.Equal(TensorTypes.ToFloat32Array(decoded.narrow(0, 3, 50)), TensorTypes.ToFloat32Array(weight.Rows(3, 50))); // bit for bit
        foreach (long buffer in new[] { 1L, 32 << 20 }) // 64 rows or columns at a time; all at once
        {
            FrozenOnDevice.SetBuffer(buffer);
            Compare(type, [[9, columns], [rows]], t => weight.Linear(t[0], t[1]), t => nn.functional.linear(t[0], decoded.to(type), t[1]));
        }
    }

    [CudaTheory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void A_product_with_a_weight_in_its_stored_type_is_one_with_the_widened_weight(ScalarType stored)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor narrow = OnDevice([170, 130], stored, 5);
        using StoredWeight weight = new(narrow.alias());
        FrozenOnDevice.SetBuffer(1); // in several pieces
        Compare(ScalarType.Float32, [[9, 130], [170]], t => weight.Linear(t[0], t[1]), t => nn.functional.linear(t[0], narrow.to(ScalarType.Float32), t[1]));
        FrozenOnDevice.SetBuffer(32 << 20);
    }

    [CudaFact]
    public void Attention_follows_the_boundaries_of_every_batch()
    {
        using DisposeScope scope = NewDisposeScope();
        using AttentionMasks masks = new();
        foreach (DocumentRun[] runs in new DocumentRun[][] { [new(0, 1, 48)], [new(0, 2, 24)], [new(0, 2, 24)], [new(0, 1, 40), new(40, 1, 8)] }) // kept between the layers of a pass, but no longer
        {
            Compare(
                ScalarType.BFloat16,
                [[48, 4, 64], [48, 4, 64], [48, 4, 64]],
                t => Attention.Packed(t[0], t[1], t[2], runs, masks, 0.125, null, null),
                t => Attention.PackedReference(t[0], t[1], t[2], runs, masks, 0.125, null, null));
        }
    }

    [CudaFact]
    public void Masks_of_dropout_are_those_of_the_processor()
    {
        using DisposeScope scope = NewDisposeScope();
        DropoutDraw draw = new(0.8, [new SeededElements(4, 0, 70 * 33), new SeededElements(5, 33, 30 * 33)]);
        float[] device = TensorTypes.ToFloat32Array(draw.Mask(100, 33, ScalarType.BFloat16, CudaTest.Device));
        Assert.Equal(TensorTypes.ToFloat32Array(draw.Mask(100, 33, ScalarType.BFloat16, CPU)), device);
        Assert.Contains(0f, device);
        Assert.Contains(1.25f, device);
    }

    [CudaFact]
    public void The_device_tells_what_its_tensors_take()
    {
        using DisposeScope scope = NewDisposeScope();
        DeviceMemory.ResetPeak(CudaTest.Device);
        long before = DeviceMemory.Of(CudaTest.Device).AllocatedBytes;
        _ = zeros([16, 1 << 20], dtype: ScalarType.Float32, device: CudaTest.Device);
        Assert.InRange(DeviceMemory.Of(CudaTest.Device).PeakAllocatedBytes - before, 64 << 20, 80 << 20);
        Assert.True(ProcessMemory.PeakBytes(CudaTest.Device) > 0);
        Assert.InRange(DeviceMemory.FreeBytes(CudaTest.Device) ?? 0, 1 << 20, 1L << 44);
    }

    private static double Tolerance(ScalarType type) => type == ScalarType.Float32 ? 2e-5 : 2e-2; // bf16: some roundings of 2⁻⁸ each

    private static Tensor Values(long[] shape, int seed)
    {
        using Generator generator = new((ulong)seed, CPU);
        return randn(shape, generator: generator);
    }

    private static Tensor OnDevice(long[] shape, ScalarType type, int seed) => Values(shape, seed).to(type, CudaTest.Device);

    /// <summary>Values and gradients of all inputs, both ways.</summary>
    private static void Compare(ScalarType type, long[][] shapes, Func<Tensor[], Tensor> kernel, Func<Tensor[], Tensor> reference)
    {
        (float[] Y, float[][] Gradients) actual = Run(kernel), expected = Run(reference);
        KernelAssert.Close(expected.Y, actual.Y, Tolerance(type));
        for (int i = 0; i < shapes.Length; i++)
            KernelAssert.Close(expected.Gradients[i], actual.Gradients[i], Tolerance(type));

        (float[], float[][]) Run(Func<Tensor[], Tensor> function)
        {
            Tensor[] inputs = [.. shapes.Select((s, i) => OnDevice(s, type, 20 + i).requires_grad_())];
            Tensor y = function(inputs);
            autograd.backward([y], [OnDevice(y.shape, type, 40)]);
            return (TensorTypes.ToFloat32Array(y), [.. inputs.Select(t => TensorTypes.ToFloat32Array(t.grad!))]);
        }
    }
}
