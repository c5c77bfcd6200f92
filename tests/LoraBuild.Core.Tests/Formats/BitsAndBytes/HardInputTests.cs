// Inputs on thresholds, of zeros, and from the ends of the types' ranges, against what bitsandbytes makes of them (golden/formats/bitsandbytes): exact equality everywhere.
using System.Runtime.InteropServices;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;

namespace LoraBuild.Core.Tests.Formats.BitsAndBytes;

public sealed class HardInputTests
{
    public static TheoryData<string> FourBitCases { get; } = [.. Names("fourbit.safetensors", ".absmax")];

    public static TheoryData<string> Int8Cases { get; } = [.. Names("int8.safetensors", ".SCB")];

    /// <param name="name">INPUT.BLOCK.</param>
    [Theory]
    [MemberData(nameof(FourBitCases))]
    public void Four_bit_codes_and_scales_are_those_of_bitsandbytes(string name)
    {
        using SafetensorsFile golden = Open("fourbit.safetensors");
        int dot = name.LastIndexOf('.');
        float[] values = golden.ReadFloat32(name[..dot]);
        int blockSize = int.Parse(name[(dot + 1)..], System.Globalization.CultureInfo.InvariantCulture);
        foreach (WeightCode code in (WeightCode[])[WeightCode.Nf4, WeightCode.Fp4])
        {
            byte[] packed = new byte[FourBitBlocks.PackedBytes(values.Length)];
            float[] scales = new float[FourBitBlocks.BlockCount(values.Length, blockSize)];
            FourBitBlocks.Encode(code, values, blockSize, packed, scales);
            Assert.Equal(Bits(golden.ReadFloat32($"{name}.absmax")), Bits(scales));
            Assert.Equal(golden.GetBytes($"{name}.{code.Name()}").ToArray(), packed);
        }
    }

    [Theory]
    [MemberData(nameof(Int8Cases))]
    public void Int8_codes_and_scales_are_those_of_a_Linear8bitLt(string name)
    {
        using SafetensorsFile golden = Open("int8.safetensors");
        float[] values = golden.ReadFloat32(name);
        PackedArrays packed = PackedArrays.Encode(WeightCode.Int8, values, golden.Tensors[name].Shape, 64, false);
        Assert.Equal(Bits(golden.ReadFloat32($"{name}.SCB")), Bits(packed.Scales));
        Assert.Equal(golden.GetBytes($"{name}.codes").ToArray(), packed.Codes);
        float[] decoded = new float[values.Length];
        packed.Decode(0, decoded);
        Assert.Equal(Bits(golden.ReadFloat32($"{name}.deq")), Bits(decoded));
    }

    [Fact]
    public void A_row_that_fp16_cannot_hold_keeps_its_numbers()
    {
        // bitsandbytes' scale of it is infinite, and all its codes are 0.
        float[] row = [1e6f, -5e5f, 3900f, 4000f, 0f];
        sbyte[] codes = new sbyte[row.Length];
        Assert.Equal(1e6f, Int8Rows.Encode(row, codes));
        Assert.Equal([127, -64, 0, 1, 0], codes); // 63.5 goes to the even 64
    }

    private static IEnumerable<string> Names(string file, string ending)
    {
        using SafetensorsFile golden = Open(file);
        return [.. golden.Tensors.Keys.Where(n => n.EndsWith(ending, StringComparison.Ordinal)).Select(n => n[..^ending.Length])];
    }

    private static SafetensorsFile Open(string file) => SafetensorsFile.Open(FormatsGolden.File("bitsandbytes", file));

    private static uint[] Bits(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, uint>(values).ToArray();
}
