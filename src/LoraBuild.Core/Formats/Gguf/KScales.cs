// What the encoders of all K types share: bringing a block of 256 to a size where no sum overflows, and scales as fp16.

namespace LoraBuild.Core.Formats.Gguf;

/// <summary>A block's values divided by a power of two, which is exact; scales found for them are multiplied by it on the way into the file.</summary>
internal static class KScales
{
    public const int BlockSize = 256;

    /// <summary>Half of the smallest fp16 number: what is smaller all over the block decodes to 0.</summary>
    private const float Smallest = 1f / (1 << 25);

    /// <returns>The power of two; 0: the block is too small for any scale.</returns>
    /// <exception cref="ArgumentException">A value is not finite.</exception>
    public static float Normalise(ReadOnlySpan<float> x, Span<float> normalised)
    {
        float largest = 0;
        foreach (float value in x)
        {
            float magnitude = Math.Abs(value);
            largest = magnitude > largest || !float.IsFinite(magnitude) ? magnitude : largest;
        }

        if (!float.IsFinite(largest))
            throw new ArgumentException("a value is not finite", nameof(x));
        if (largest < Smallest)
            return 0;
        float power = MathF.ScaleB(1, Math.ILogB(largest));
        for (int i = 0; i < x.Length; i++)
            normalised[i] = x[i] / power;
        return power;
    }

    /// <summary>The fp16 number nearest to scale·power, never infinite, and 0 only for 0.</summary>
    public static Half Round(double scale, float power)
    {
        if (scale == 0)
            return Half.Zero;
        Half rounded = (Half)(float)Math.Clamp(scale * power, -65504, 65504);
        return rounded == Half.Zero ? (scale > 0 ? Half.Epsilon : -Half.Epsilon) : rounded;
    }
}
