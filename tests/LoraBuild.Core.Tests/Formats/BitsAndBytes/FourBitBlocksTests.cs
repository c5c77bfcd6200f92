// NF4, FP4, double quantisation and int8 against what bitsandbytes wrote (golden/formats/nf4): exact equality everywhere.
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;

namespace LoraBuild.Core.Tests.Formats.BitsAndBytes;

public sealed class FourBitBlocksTests
{
    public static TheoryData<string> Cases { get; } = [.. Manifest.Keys];

    private static Dictionary<string, (int BlockSize, TensorDtype Dtype, int Elements, float Offset)> Manifest => JsonNode.Parse(File.ReadAllText(FormatsGolden.File("nf4", "weights.json")))!
        .AsArray()
        .ToDictionary(
            w => (string)w!["name"]!,
            w => ((int)w!["blocksize"]!,
                TensorDtypes.TryParseTorch((string)w["input_dtype"]!, out TensorDtype dtype) ? dtype : throw new InvalidDataException(),
                (int)w["elements"]!,
                BinaryPrimitives.ReadSingleLittleEndian(Convert.FromHexString((string)w["offset_hex"]!))));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Encoding_gives_bitsandbytes_bytes_and_scales(string name)
    {
        (int blockSize, _, int elements, _) = Manifest[name];
        byte[] packed = new byte[FourBitBlocks.PackedBytes(elements)];
        float[] scales = new float[FourBitBlocks.BlockCount(elements, blockSize)];
        FourBitBlocks.Encode(WeightCode.Nf4, Input(name), blockSize, packed, scales);
        Assert.Equal(Bits(Floats(name, "absmax.f32")), Bits(scales));
        Assert.Equal(Bytes(name, "packed"), packed);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Decoding_gives_bitsandbytes_values_in_fp32_and_bf16(string name)
    {
        (int blockSize, _, int elements, _) = Manifest[name];
        float[] values = new float[elements];
        FourBitBlocks.Decode(FourBitTables.Values(WeightCode.Nf4), Bytes(name, "packed"), Floats(name, "absmax.f32"), blockSize, 0, values);
        Assert.Equal(Bits(Floats(name, "deq.f32")), Bits(values));
        byte[] narrow = new byte[2 * elements];
        FloatConversion.FromFloat32(TensorDtype.BF16, values, narrow);
        Assert.Equal(Bytes(name, "deq.bf16"), narrow);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Double_quantisation_gives_bitsandbytes_codes_scales_and_weights(string name)
    {
        (int blockSize, _, int elements, float offset) = Manifest[name];
        float[] scales = Floats(name, "absmax.f32");
        NestedScales nested = NestedScales.Encode(scales, offset);
        Assert.Equal(Bits(Floats(name, "nested_absmax.f32")), Bits(nested.Absmax));
        Assert.Equal(Bytes(name, "nested_absmax_q.u8"), nested.Codes);
        float[] decoded = nested.Decode();
        Assert.Equal(Bits(Floats(name, "nested_absmax_deq.f32")), Bits(decoded));
        float[] values = new float[elements];
        FourBitBlocks.Decode(FourBitTables.Values(WeightCode.Nf4), Bytes(name, "packed"), decoded, blockSize, 0, values);
        Assert.Equal(Bits(Floats(name, "nested_deq.f32")), Bits(values));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_offset_is_the_mean_of_the_scales(string name)
    {
        float[] scales = Floats(name, "absmax.f32");
        // README: the order of summing may change the last bits; 2e-6 of the largest scale.
        Assert.Equal(Manifest[name].Offset, NestedScales.Encode(scales).Offset, 2e-6 * scales.Max());
    }

    [Fact]
    public void The_tables_are_bitsandbytes_tables()
    {
        Assert.Equal(Bits(Floats("nf4_code.f32.bin")), Bits(FourBitTables.Values(WeightCode.Nf4)));
        Assert.Equal(Bits(Floats("dynamic_signed.f32.bin")), Bits(DynamicCodes.Signed));
        Assert.Equal(Bits(Floats("dynamic_unsigned.f32.bin")), Bits(DynamicCodes.Unsigned));
    }

    [Theory]
    [InlineData(0x77)] // the portable code's
    [InlineData(0x00)] // CUDA's
    public void Both_encodings_of_a_block_of_zeros_decode_to_zeros(byte two)
    {
        byte[] packed = new byte[32];
        Array.Fill(packed, two);
        float[] values = new float[64];
        Array.Fill(values, float.NaN);
        FourBitBlocks.Decode(FourBitTables.Values(WeightCode.Nf4), packed, [0f], 64, 0, values);
        Assert.All(values, v => Assert.Equal(0f, v));
    }

    [Theory]
    [InlineData(WeightCode.Nf4)]
    [InlineData(WeightCode.Fp4)]
    public void Any_part_decodes_as_it_does_within_the_whole(WeightCode code)
    {
        float[] input = Input("nested_big");
        byte[] packed = new byte[FourBitBlocks.PackedBytes(input.Length)];
        float[] scales = new float[FourBitBlocks.BlockCount(input.Length, 64)];
        FourBitBlocks.Encode(code, input, 64, packed, scales);
        float[] whole = new float[input.Length];
        FourBitBlocks.Decode(FourBitTables.Values(code), packed, scales, 64, 0, whole);
        Random random = new(5);
        for (int i = 0; i < 50; i++)
        {
            int first = random.Next(input.Length), count = random.Next(input.Length - first);
            float[] part = new float[count];
            FourBitBlocks.Decode(FourBitTables.Values(code), packed, scales, 64, first, part);
            Assert.Equal(whole[first..(first + count)], part);
        }
    }

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(4096)]
    public void Fp4_takes_the_pattern_that_its_thresholds_say(int blockSize)
    {
        // Each pattern's own value, and values just on and just above the thresholds of bitsandbytes' CUDA kernel; scale 1.
        float[] thresholds = [0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f, 0.8333333f];
        byte[] ascending = [0b000, 0b001, 0b110, 0b111, 0b100, 0b101, 0b010, 0b011];
        List<(float Value, byte Pattern)> expected = [(1, 0b011)];
        for (int i = 0; i < thresholds.Length; i++)
        {
            expected.Add((thresholds[i], ascending[i]));
            expected.Add((MathF.BitIncrement(thresholds[i]), ascending[i + 1]));
            expected.Add((-MathF.BitIncrement(thresholds[i]), (byte)(8 | ascending[i + 1])));
            expected.Add((FourBitTables.Values(WeightCode.Fp4)[ascending[i]], ascending[i]));
        }

        float[] input = new float[blockSize];
        for (int i = 0; i < Math.Min(blockSize, expected.Count); i++)
            input[i] = expected[i].Value;
        byte[] packed = new byte[blockSize / 2];
        float[] scales = new float[1];
        FourBitBlocks.Encode(WeightCode.Fp4, input, blockSize, packed, scales);
        Assert.Equal(1f, scales[0]);
        for (int i = 0; i < Math.Min(blockSize, expected.Count); i++)
            Assert.Equal(expected[i].Pattern, (packed[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15);
    }

    [Theory]
    [InlineData(WeightCode.Nf4, 0.16f)]
    [InlineData(WeightCode.Fp4, 0.17f)]
    public void No_value_moves_further_than_half_the_widest_step(WeightCode code, float halfStep)
    {
        float[] input = Input("normal");
        byte[] packed = new byte[FourBitBlocks.PackedBytes(input.Length)];
        float[] scales = new float[FourBitBlocks.BlockCount(input.Length, 64)];
        FourBitBlocks.Encode(code, input, 64, packed, scales);
        float[] output = new float[input.Length];
        FourBitBlocks.Decode(FourBitTables.Values(code), packed, scales, 64, 0, output);
        for (int i = 0; i < input.Length; i++)
            Assert.InRange(Math.Abs(input[i] - output[i]), 0, halfStep * scales[i / 64]);
    }

    [Fact]
    public void The_bytes_do_not_depend_on_the_number_of_threads()
    {
        Random random = new(11);
        float[] input = [.. Enumerable.Range(0, 300_001).Select(_ => (float)(random.NextDouble() - 0.5))];
        (byte[] one, float[] oneScales) = Encoded(1);
        (byte[] four, float[] fourScales) = Encoded(4);
        Assert.Equal(one, four);
        Assert.Equal(oneScales, fourScales);

        (byte[], float[]) Encoded(int threads)
        {
            byte[] packed = new byte[FourBitBlocks.PackedBytes(input.Length)];
            float[] scales = new float[FourBitBlocks.BlockCount(input.Length, 64)];
            FourBitBlocks.Encode(WeightCode.Nf4, input, 64, packed, scales, threads);
            return (packed, scales);
        }
    }

    [Fact]
    public void Int8_rows_round_to_the_nearest_step_of_their_own_scale()
    {
        float[] row = [.. Enumerable.Range(-127, 255).Select(i => i * 2f / 127), 2.5f / 127 * 2, 0f];
        sbyte[] codes = new sbyte[row.Length];
        float scale = Int8Rows.Encode(row, codes);
        Assert.Equal(2f, scale);
        Assert.Equal([.. Enumerable.Range(-127, 255).Select(i => (sbyte)i), 2, 0], codes); // 2.5 goes to the even 2
        float[] decoded = new float[row.Length];
        Int8Rows.Decode(codes, scale, decoded);
        for (int i = 0; i < row.Length; i++)
            Assert.InRange(Math.Abs(decoded[i] - row[i]), 0, (1.0001f * 2 / 254));
        Assert.Equal(0f, Int8Rows.Encode(new float[5], codes));
        Assert.All(codes[..5], c => Assert.Equal(0, c));
    }

    private static float[] Input(string name)
    {
        (_, TensorDtype dtype, int elements, _) = Manifest[name];
        float[] values = new float[elements];
        FloatConversion.ToFloat32(dtype, Bytes(name, "input"), values);
        return values;
    }

    private static byte[] Bytes(string name, string part) => File.ReadAllBytes(FormatsGolden.File("nf4", $"w.{name}.{part}.bin"));

    private static float[] Floats(string name, string part) => Floats($"w.{name}.{part}.bin");

    private static float[] Floats(string file) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(FormatsGolden.File("nf4", file))).ToArray();

    private static uint[] Bits(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, uint>(values).ToArray();
}
