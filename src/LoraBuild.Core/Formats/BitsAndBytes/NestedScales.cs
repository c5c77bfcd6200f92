// Double quantisation: the scales of blocks, themselves compressed to a byte each.

namespace LoraBuild.Core.Formats.BitsAndBytes;

/// <summary>scale = map[code] · absmax + offset (QLoRA, section 3): the mean is taken off, the rest stands in blocks of 256 with the signed dynamic code.</summary>
/// <param name="Codes">One byte a block of weights.</param>
/// <param name="Absmax">Largest magnitude of each block of codes.</param>
/// <param name="Map">The 256 values.</param>
/// <param name="BlockSize">Codes that share one of <paramref name="Absmax"/>.</param>
public sealed record NestedScales(byte[] Codes, float[] Absmax, float[] Map, float Offset, int BlockSize = NestedScales.DefaultBlockSize)
{
    public const int DefaultBlockSize = 256;

    /// <param name="offset">Null: the mean of the scales, whose last bits depend on the order of summing (here: in double).</param>
    public static NestedScales Encode(ReadOnlySpan<float> scales, float? offset = null)
    {
        double sum = 0;
        foreach (float scale in scales)
            sum += scale;
        float mean = offset ?? (float)(sum / Math.Max(1, scales.Length));
        byte[] codes = new byte[scales.Length];
        float[] absmax = new float[(scales.Length + DefaultBlockSize - 1) / DefaultBlockSize];
        Span<float> shifted = stackalloc float[DefaultBlockSize];
        for (int block = 0; block < absmax.Length; block++)
        {
            int start = block * DefaultBlockSize;
            int count = Math.Min(DefaultBlockSize, scales.Length - start);
            for (int i = 0; i < count; i++)
                shifted[i] = scales[start + i] - mean;
            absmax[block] = Magnitudes.Largest(shifted[..count]);
            // A short last block is divided, as bitsandbytes' portable code does it; a full one multiplied with the rounded reciprocal.
            bool isFull = count == DefaultBlockSize;
            float factor = 1 / Math.Max(absmax[block], 1e-38f);
            for (int i = 0; i < count; i++)
                codes[start + i] = DynamicCodes.Nearest(Math.Clamp(isFull ? shifted[i] * factor : shifted[i] / Math.Max(absmax[block], 1e-38f), -1f, 1f), isSigned: true);
        }

        return new NestedScales(codes, absmax, DynamicCodes.Signed.ToArray(), mean);
    }

    /// <summary>One fp32 scale a block of weights; product and sum rounded one after the other.</summary>
    public float[] Decode()
    {
        float[] scales = new float[Codes.Length];
        for (int i = 0; i < scales.Length; i++)
        {
            float product = Map[Codes[i]] * Absmax[i / BlockSize];
            scales[i] = product + Offset;
        }

        return scales;
    }
}
