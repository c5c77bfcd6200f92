// Conversions agree with .NET's own on every fp16 value and on random and boundary fp32 values.
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Tests.Formats;

public sealed class FloatConversionTests
{
    [Fact]
    public void Every_half_widens_exactly_and_narrows_back()
    {
        ushort[] bits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        float[] wide = new float[bits.Length];
        FloatConversion.FromHalf(bits, wide);
        ushort[] back = new ushort[bits.Length];
        FloatConversion.ToHalf(wide, back);
        for (int i = 0; i < bits.Length; i++)
        {
            Half half = BitConverter.UInt16BitsToHalf(bits[i]);
            if (Half.IsNaN(half))
            {
                Assert.True(float.IsNaN(wide[i]) && Half.IsNaN(BitConverter.UInt16BitsToHalf(back[i])));
                continue;
            }

            Assert.Equal(BitConverter.SingleToUInt32Bits((float)half), BitConverter.SingleToUInt32Bits(wide[i]));
            Assert.Equal(bits[i], back[i]);
        }
    }

    [Fact]
    public void Narrowing_rounds_to_nearest_even()
    {
        float[] values = Samples();
        ushort[] halves = new ushort[values.Length], brains = new ushort[values.Length];
        FloatConversion.ToHalf(values, halves);
        FloatConversion.ToBFloat16(values, brains);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal(BitConverter.HalfToUInt16Bits((Half)values[i]), halves[i]);
            Assert.Equal(NearestBFloat16(values[i]), brains[i]);
        }
    }

    [Fact]
    public void Tails_shorter_than_a_vector_are_converted_too()
    {
        float[] values = [1.5f, -2.25f, 65504, 1e-7f, -0f];
        foreach (TensorDtype dtype in (TensorDtype[])[TensorDtype.F16, TensorDtype.BF16, TensorDtype.F32, TensorDtype.F64])
        {
            byte[] stored = new byte[values.Length * dtype.ByteSize()];
            FloatConversion.FromFloat32(dtype, values, stored);
            float[] back = new float[values.Length];
            FloatConversion.ToFloat32(dtype, stored, back);
            Assert.Equal(1.5f, back[0]);
            Assert.Equal(-2.25f, back[1]);
            Assert.Equal(65504f, back[2], 300f);
        }

        ushort[] nan = new ushort[1];
        FloatConversion.ToBFloat16([BitConverter.UInt32BitsToSingle(0x7F800001)], nan); // its mantissa is in the half that is cut
        Assert.True(float.IsNaN(BitConverter.UInt32BitsToSingle((uint)nan[0] << 16)));
    }

    private static float[] Samples()
    {
        Random random = new(7);
        List<float> values = [];
        for (int i = 0; i < 200_000; i++)
        {
            float value = BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32));
            if (!float.IsNaN(value))
                values.Add(value);
        }

        for (int i = 0; i < 0x7C00; i += 3) // around every third halfway point between two halves
        {
            float low = (float)BitConverter.UInt16BitsToHalf((ushort)i), high = (float)BitConverter.UInt16BitsToHalf((ushort)(i + 1));
            float middle = float.IsInfinity(high) ? 65520 : (low + high) / 2;
            values.AddRange([middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle), -middle]);
        }

        return [.. values];
    }

    /// <summary>By comparing distances, not by the trick under test.</summary>
    private static ushort NearestBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        ushort down = (ushort)(bits >> 16);
        if (float.IsInfinity(value))
            return down;
        uint rest = bits & 0xFFFF;
        return (ushort)(rest > 0x8000 || (rest == 0x8000 && (down & 1) == 1) ? down + 1 : down);
    }
}
