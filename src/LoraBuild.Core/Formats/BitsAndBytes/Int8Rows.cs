// Rows of eight-bit whole numbers with one scale each.

namespace LoraBuild.Core.Formats.BitsAndBytes;

/// <summary>
/// bitsandbytes' <c>int8_vectorwise_quant</c> without outliers, as its <c>Int8Params</c> holds a weight: scale = the largest magnitude of the row,
/// code = round(x · (127 / scale)), halves to even; decoded: code · scale · (1 / 127). Products are computed with the decoded weight, not with
/// inputs rounded to eight bits.
/// </summary>
public static class Int8Rows
{
    /// <summary>bitsandbytes' constant in fp32.</summary>
    public const float OneOver127 = 7.874015718698502e-3f;

    /// <returns>The row's scale.</returns>
    public static float Encode(ReadOnlySpan<float> row, Span<sbyte> codes)
    {
        float scale = Magnitudes.Largest(row);
        float factor = scale == 0 ? 0 : 127f / scale;
        for (int i = 0; i < row.Length; i++)
            codes[i] = (sbyte)Math.Clamp(MathF.Round(row[i] * factor, MidpointRounding.ToEven), -127f, 127f);
        return scale;
    }

    /// <param name="codes">A row, or a part of one.</param>
    public static void Decode(ReadOnlySpan<sbyte> codes, float scale, Span<float> destination)
    {
        for (int i = 0; i < codes.Length; i++)
            destination[i] = codes[i] * scale * OneOver127;
    }
}
