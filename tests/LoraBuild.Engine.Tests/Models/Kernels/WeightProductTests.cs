// Products with a frozen weight into memory that is there: the kernel against tensor calls, and a stored weight against its widened copy.
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using LoraBuild.Engine.Quantization;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class WeightProductTests
{
    private const double Factor = 0.37;

    [Theory]
    [InlineData(1, 33, 50)]
    [InlineData(12, 700, 64)]
    [InlineData(29, 1300, 576)]
    [InlineData(200, 2049, 72)]
    public void Both_directions_are_those_of_tensor_calls_however_the_weight_is_held(int count, int rows, int columns)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor wide = Values(rows, columns, 1);
        using StoredWeight bfloat16 = new(wide.to_type(ScalarType.BFloat16)), float16 = new(wide.to_type(ScalarType.Float16));
        using QuantizedWeight codes = QuantizedWeight.Of(PackedArrays.Encode(WeightCode.Nf4, wide.data<float>().ToArray(), [rows, columns], 64, true), ScalarType.Float32, CPU);
        (Tensor x, Tensor dy) = (Values(count, columns, 2), Values(count, rows, 3));
        foreach (LinearWeight weight in new LinearWeight[] { wide, new(bfloat16), new(float16), new(codes) })
        {
            (float[] y, float[] dx) = Run(x, dy, weight);
            (Tensor expectedY, Tensor expectedDx) = (empty([count, rows]), empty([count, columns]));
            WeightProduct.Reference_(x, weight, expectedY);
            WeightProduct.ReferenceBackward_(dy, weight, Factor, expectedDx);
            KernelAssert.Close(expectedY.data<float>().ToArray(), y, 2e-6);
            KernelAssert.Close(expectedDx.data<float>().ToArray(), dx, 2e-6);
        }
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void A_stored_weight_gives_the_bits_of_its_widened_copy(ScalarType type)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor narrow = Values(1500, 200, 4).to_type(type);
        using StoredWeight stored = new(narrow);
        (Tensor x, Tensor dy) = (Values(40, 200, 5), Values(40, 1500, 6));
        (float[] Y, float[] Dx) expected = Run(x, dy, narrow.to_type(ScalarType.Float32)), actual = Run(x, dy, new LinearWeight(stored));
        Assert.Equal(expected.Y, actual.Y);
        Assert.Equal(expected.Dx, actual.Dx);
    }

    [Fact]
    public void Weights_of_a_narrow_arithmetic_are_multiplied_in_it()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor weight = Values(30, 20, 7).to_type(ScalarType.BFloat16), x = Values(13, 20, 8).to_type(ScalarType.BFloat16);
        Tensor y = empty([13, 30], dtype: ScalarType.BFloat16);
        WeightProduct.Forward_(x, weight, y);
        KernelAssert.Close(TensorTypes.ToFloat32Array(x.mm(weight.t())), TensorTypes.ToFloat32Array(y), 1.0 / 256); // a step of bf16
    }

    private static (float[] Y, float[] Dx) Run(Tensor x, Tensor dy, LinearWeight weight)
    {
        // What stood there before does not matter, whatever it was.
        Tensor y = full([x.shape[0], weight.OutFeatures], float.NaN), dx = full([dy.shape[0], weight.InFeatures], float.NaN);
        WeightProduct.Forward_(x, weight, y);
        WeightProduct.Backward_(dy, weight, Factor, dx);
        return (y.data<float>().ToArray(), dx.data<float>().ToArray());
    }

    private static Tensor Values(int rows, int columns, ulong seed) => randn([rows, columns], generator: new Generator(seed, CPU)).mul_(0.1);
}
