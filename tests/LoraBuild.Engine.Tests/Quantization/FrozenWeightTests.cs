// Products with compressed weights: native against tensor calls, and both against the plain product with the widened weight.
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Tests.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Quantization;

public sealed class FrozenWeightTests
{
    public static TheoryData<WeightCode, bool, int, int, int> Weights()
    {
        TheoryData<WeightCode, bool, int, int, int> data = [];
        foreach ((int rows, int columns) in (ReadOnlySpan<(int, int)>)[(33, 50), (7, 13), (200, 200), (1100, 576), (3, 4864)])
        {
            data.Add(WeightCode.Nf4, true, 64, rows, columns);
            data.Add(WeightCode.Nf4, false, 128, rows, columns);
            data.Add(WeightCode.Fp4, true, 32, rows, columns);
            data.Add(WeightCode.Int8, false, 0, rows, columns);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Weights))]
    public void Rows_decode_as_the_managed_codec_decodes_them(WeightCode code, bool isNested, int blockSize, int rows, int columns)
    {
        using DisposeScope scope = NewDisposeScope();
        PackedArrays packed = PackedArrays.Encode(code, Values(rows, columns), [rows, columns], blockSize, isNested);
        using QuantizedWeight weight = QuantizedWeight.Of(packed, ScalarType.Float32, CPU);
        float[] expected = Decoded(packed);
        Assert.Equal(expected, weight.Rows(0, rows).data<float>().ToArray());
        Assert.Equal(expected, weight.ReferenceRows(0, rows).data<float>().ToArray());
        int first = rows / 3, count = Math.Max(1, rows / 2);
        float[] part = expected[(first * columns)..((first + count) * columns)];
        Assert.Equal(part, weight.Rows(first, count).data<float>().ToArray());
        Assert.Equal(part, weight.ReferenceRows(first, count).data<float>().ToArray());
        Assert.Equal([.. expected[^columns..], .. expected[..columns], .. expected[^columns..]], weight.Rows(tensor([rows - 1L, 0, rows - 1])).data<float>().ToArray());
        Assert.True(weight.ByteCount < (rows * columns * (code == WeightCode.Int8 ? 1.1 : 0.65)) + (rows * 4) + 4096);
    }

    [Theory]
    [MemberData(nameof(Weights))]
    public void Products_forward_and_backward_are_those_with_the_widened_weight(WeightCode code, bool isNested, int blockSize, int rows, int columns)
    {
        using DisposeScope scope = NewDisposeScope();
        using QuantizedWeight weight = QuantizedWeight.Of(PackedArrays.Encode(code, Values(rows, columns), [rows, columns], blockSize, isNested), ScalarType.Float32, CPU);
        Tensor widened = weight.Rows(0, rows);
        SameProducts(rows, columns, (x, b) => nn.functional.linear(x, widened, b), weight.Linear, 2e-6);
        SameProducts(rows, columns, (x, b) => nn.functional.linear(x, widened, b), weight.ReferenceLinear, 2e-6);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Rounding_to_bf16_is_the_same_natively_and_in_tensor_calls(ScalarType activations)
    {
        using DisposeScope scope = NewDisposeScope();
        using QuantizedWeight weight = QuantizedWeight.Of(PackedArrays.Encode(WeightCode.Nf4, Values(300, 192), [300, 192], 64, true), ScalarType.BFloat16, CPU);
        Tensor narrow = weight.Rows(0, 300).to_type(ScalarType.BFloat16).to_type(ScalarType.Float32);
        // 2⁻⁸: one step of bf16, where sums in another order fall on the other side of a midpoint.
        SameProducts(300, 192, weight.ReferenceLinear, weight.Linear, 1.0 / 256, activations);
        SameProducts(300, 192, (x, b) => nn.functional.linear(x.to_type(ScalarType.BFloat16).to_type(ScalarType.Float32), narrow, b?.to_type(ScalarType.Float32)).to_type(x.dtype), weight.Linear, 2.0 / 256, activations);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void A_weight_in_its_stored_type_computes_as_its_widened_copy(ScalarType type)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor stored = tensor(Values(700, 640), [700, 640]).to_type(type);
        Tensor widened = stored.to_type(ScalarType.Float32);
        using StoredWeight weight = new(stored);
        Assert.Equal(widened.data<float>().ToArray(), weight.Rows(0, 700).data<float>().ToArray());
        SameProducts(700, 640, (x, b) => nn.functional.linear(x, widened, b), weight.Linear, 2e-6);
    }

    [Fact]
    public void Every_fp16_number_is_widened_exactly()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor all = empty([256, 256], dtype: ScalarType.Float16);
        byte[] bytes = new byte[1 << 17];
        for (int i = 0; i < 1 << 16; i++)
            BitConverter.TryWriteBytes(bytes.AsSpan(2 * i), (ushort)i);
        all.bytes = bytes;
        using StoredWeight weight = new(all);
        // x = 1 for one feature at a time, so that each product is one weight: NaN and infinity are left out, they would spread over the sums.
        Tensor expected = all.to_type(ScalarType.Float32);
        float[] finite = expected.data<float>().ToArray();
        Tensor product = weight.Linear(eye(256, 256), null).t();
        float[] actual = product.contiguous().data<float>().ToArray();
        for (int row = 0; row < 256; row++)
        {
            if (finite.AsSpan(row * 256, 256).ToArray().All(float.IsFinite))
                Assert.Equal(finite[(row * 256)..((row + 1) * 256)], actual[(row * 256)..((row + 1) * 256)]);
        }
    }

    [Fact]
    public void A_graph_keeps_a_weight_whose_owner_is_gone()
    {
        using DisposeScope scope = NewDisposeScope();
        QuantizedWeight weight = QuantizedWeight.Of(PackedArrays.Encode(WeightCode.Nf4, Values(64, 64), [64, 64], 64, true), ScalarType.Float32, CPU);
        float[] widened = weight.Rows(0, 64).data<float>().ToArray();
        Tensor x = ones([1, 64]).requires_grad_();
        Tensor y = weight.Linear(x, null);
        weight.Dispose();
        y.sum().backward();
        float[] expected = [.. Enumerable.Range(0, 64).Select(c => Enumerable.Range(0, 64).Sum(r => widened[(r * 64) + c]))];
        KernelAssert.Close(expected, x.grad!.data<float>().ToArray(), 1e-6);
    }

    [Fact]
    public void A_product_of_shapes_that_do_not_fit_says_both()
    {
        using DisposeScope scope = NewDisposeScope();
        using QuantizedWeight weight = QuantizedWeight.Of(PackedArrays.Encode(WeightCode.Nf4, Values(8, 64), [8, 64], 64, true), ScalarType.Float32, CPU);
        Exception error = Assert.ThrowsAny<Exception>(() => weight.Linear(ones([2, 32]), null));
        Assert.Contains("32", error.Message);
        Assert.Contains("64", error.Message);
    }

    private static void SameProducts(int rows, int columns, Func<Tensor, Tensor?, Tensor> expected, Func<Tensor, Tensor?, Tensor> actual, double tolerance, ScalarType type = ScalarType.Float32)
    {
        Generator generator = new(5, CPU);
        float[] input = randn([11, columns], generator: generator).data<float>().ToArray();
        float[] bias = randn([rows], generator: generator).data<float>().ToArray();
        float[] upstream = randn([11, rows], generator: generator).data<float>().ToArray();
        (float[] Y, float[] Dx, float[] Db) a = Run(expected), b = Run(actual);
        KernelAssert.Close(a.Y, b.Y, tolerance);
        KernelAssert.Close(a.Dx, b.Dx, tolerance);
        KernelAssert.Close(a.Db, b.Db, tolerance);

        (float[], float[], float[]) Run(Func<Tensor, Tensor?, Tensor> product)
        {
            Tensor x = tensor(input, [11, columns]).to_type(type).requires_grad_();
            Tensor offset = tensor(bias).to_type(type).requires_grad_();
            Tensor y = product(x, offset);
            Assert.Equal(type, y.dtype);
            autograd.backward([y], [tensor(upstream, [11, rows]).to_type(type)]);
            return (TensorTypes.ToFloat32Array(y), TensorTypes.ToFloat32Array(x.grad!), TensorTypes.ToFloat32Array(offset.grad!));
        }
    }

    private static float[] Values(int rows, int columns)
    {
        using DisposeScope scope = NewDisposeScope();
        return randn([rows, columns], generator: new Generator(9, CPU)).mul(0.05).data<float>().ToArray();
    }

    private static float[] Decoded(PackedArrays packed)
    {
        float[] values = new float[packed.Shape[0] * packed.Shape[1]];
        if (packed.Code != WeightCode.Int8)
        {
            FourBitBlocks.Decode(FourBitTables.Values(packed.Code), packed.Codes, packed.Nested?.Decode() ?? packed.Scales, packed.BlockSize, 0, values);
            return values;
        }

        for (int row = 0; row < packed.Shape[0]; row++)
        {
            int columns = (int)packed.Shape[1];
            Int8Rows.Decode(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, sbyte>(packed.Codes.AsSpan(row * columns, columns)), packed.Scales[row], values.AsSpan(row * columns, columns));
        }

        return values;
    }
}
