// The codebooks are bitsandbytes', and the fast search finds what counting midpoints finds.
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Tests.Training.Optimizers;

namespace LoraBuild.Engine.Tests.Quantization;

public sealed class DynamicCodebookTests
{
    public static TheoryData<bool> Both() => [true, false];

    [Theory]
    [MemberData(nameof(Both))]
    public void Values_are_those_of_the_reference_to_the_last_bit(bool isSigned) =>
        Assert.Equal(Adam8Golden.Floats(isSigned ? "dynamic_signed.f32.bin" : "dynamic_unsigned.f32.bin"), Of(isSigned).Values.ToArray());

    [Theory]
    [MemberData(nameof(Both))]
    public void A_midpoint_takes_the_lower_code_and_its_neighbours_their_own(bool isSigned)
    {
        DynamicCodebook codebook = Of(isSigned);
        for (int code = 0; code < DynamicCodebook.Size; code++)
        {
            Assert.Equal(code, codebook.CodeOf(codebook.Values[code]));
            if (code + 1 == DynamicCodebook.Size)
                break;
            float midpoint = (codebook.Values[code] + codebook.Values[code + 1]) / 2;
            Assert.Equal(code, codebook.CodeOf(midpoint));
            Assert.Equal(code, codebook.CodeOf(MathF.BitDecrement(midpoint)));
            Assert.Equal(code + 1, codebook.CodeOf(MathF.BitIncrement(midpoint)));
        }
    }

    [Theory]
    [MemberData(nameof(Both))]
    public void Any_number_gets_the_code_that_counting_midpoints_gives(bool isSigned)
    {
        DynamicCodebook codebook = Of(isSigned);
        Random random = new(5);
        for (int i = 0; i < 20_000; i++)
        {
            float value = (float)(Math.Pow(10, random.NextDouble() * -10) * (isSigned && random.Next(2) == 0 ? -1 : 1));
            Assert.Equal(Counted(codebook, value), codebook.CodeOf(value));
        }

        foreach (float value in new[] { 0f, -0f, float.Epsilon, -float.Epsilon, 1f, -1f, 2f, -2f, float.PositiveInfinity, float.NegativeInfinity })
            Assert.Equal(Counted(codebook, value), codebook.CodeOf(value));
    }

    [Fact]
    public void A_block_of_zeros_or_of_the_smallest_numbers_comes_back()
    {
        byte[] codes = new byte[3];
        float[] back = new float[3];
        Assert.Equal(0, DynamicCodebook.Signed.Encode([0f, -0f, 0f], codes));
        DynamicCodebook.Signed.Decode(codes, 0, back);
        Assert.Equal([0f, 0f, 0f], back);
        float scale = DynamicCodebook.Unsigned.Encode([float.Epsilon, 0, float.Epsilon], codes); // 1/scale is ∞
        DynamicCodebook.Unsigned.Decode(codes, scale, back);
        Assert.Equal([float.Epsilon, 0, float.Epsilon], back);
    }

    private static DynamicCodebook Of(bool isSigned) => isSigned ? DynamicCodebook.Signed : DynamicCodebook.Unsigned;

    private static int Counted(DynamicCodebook codebook, float value)
    {
        int code = 0;
        while (code + 1 < DynamicCodebook.Size && (codebook.Values[code] + codebook.Values[code + 1]) / 2 < value)
            code++;
        return code;
    }
}
