// Rows of eight-bit whole numbers with one scale each, as bitsandbytes' Linear8bitLt holds a weight.
using System.Buffers;

namespace LoraBuild.Core.Formats.BitsAndBytes;

/// <summary>
/// bitsandbytes' <c>Int8Params</c>: the row is rounded to fp16, scale = its largest magnitude, code = round(x · (1 / scale · 127)), halves to even;
/// decoded: code · scale · (1 / 127). Products are computed with the decoded weight, not with inputs rounded to eight bits.
/// </summary>
public static class Int8Rows
{
    /// <summary>bitsandbytes' constant in fp32.</summary>
    public const float OneOver127 = 7.874015718698502e-3f;

    /// <returns>The row's scale.</returns>
    public static float Encode(ReadOnlySpan<float> row, Span<sbyte> codes)
    {
        float[] rented = ArrayPool<float>.Shared.Rent(row.Length);
        Span<float> rounded = rented.AsSpan(0, row.Length);
        float scale = RoundToHalf(row, rounded);
        if (float.IsInfinity(scale)) // beyond fp16 bitsandbytes' scale is infinite and its codes mean nothing: such a row keeps its numbers
        {
            row.CopyTo(rounded);
            scale = Magnitudes.Largest(row);
        }

        float factor = scale == 0 ? 0 : 1 / scale * 127f; // in two roundings, as torch divides a number by a tensor
        for (int i = 0; i < rounded.Length; i++)
            codes[i] = (sbyte)Math.Clamp(MathF.Round(rounded[i] * factor, MidpointRounding.ToEven), -127f, 127f);
        ArrayPool<float>.Shared.Return(rented);
        return scale;
    }

    /// <param name="codes">A row, or a part of one.</param>
    public static void Decode(ReadOnlySpan<sbyte> codes, float scale, Span<float> destination)
    {
        for (int i = 0; i < codes.Length; i++)
            destination[i] = codes[i] * scale * OneOver127;
    }

    /// <returns>The largest magnitude after rounding; infinite where fp16 cannot hold it.</returns>
    private static float RoundToHalf(ReadOnlySpan<float> row, Span<float> rounded)
    {
        const int atOnce = 512;
        Span<byte> halves = stackalloc byte[2 * atOnce];
        for (int start = 0; start < row.Length; start += atOnce)
        {
            int count = Math.Min(atOnce, row.Length - start);
            FloatConversion.FromFloat32(TensorDtype.F16, row.Slice(start, count), halves);
            FloatConversion.ToFloat32(TensorDtype.F16, halves[..(2 * count)], rounded.Slice(start, count));
        }

        return Magnitudes.Largest(rounded);
    }
}
