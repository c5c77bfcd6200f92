// bitsandbytes' eight-bit dynamic codebooks: many small steps near zero, ten times coarser ones for every power of ten.
namespace LoraBuild.Core.Formats.BitsAndBytes;

/// <summary>
/// Dettmers 2016, "8-Bit Approximations for Parallelism": 0, 1 and 10^(i−6) times the means of adjacent points of an even division of [0.1, 1], i = 0 … 6.
/// The signed map divides into 2^i parts and has both signs (1 alone has no negative counterpart), the unsigned one into 2^(i+1).
/// </summary>
public static class DynamicCodes
{
    private const int Powers = 7;

    /// <summary>256 values, ascending.</summary>
    public static ReadOnlySpan<float> Signed => SignedMap;

    /// <summary>256 values from 0 to 1, ascending.</summary>
    public static ReadOnlySpan<float> Unsigned => UnsignedMap;

    private static readonly float[] SignedMap = Create(isSigned: true);
    private static readonly float[] UnsignedMap = Create(isSigned: false);

    private static readonly float[] SignedThresholds = Thresholds(SignedMap);
    private static readonly float[] UnsignedThresholds = Thresholds(UnsignedMap);

    /// <summary>The nearest code of a value in [−1, 1]; one halfway between two takes the lower.</summary>
    public static byte Nearest(float value, bool isSigned)
    {
        float[] thresholds = isSigned ? SignedThresholds : UnsignedThresholds;
        int low = 0, high = thresholds.Length; // thresholds below `low` are less than the value, those from `high` on are not
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (thresholds[middle] < value)
                low = middle + 1;
            else
                high = middle;
        }

        return (byte)low;
    }

    private static float[] Thresholds(float[] map) => [.. map.Zip(map.Skip(1), (low, high) => (low + high) / 2)];

    private static float[] Create(bool isSigned)
    {
        List<float> values = [0, 1];
        for (int i = 0; i < Powers; i++)
        {
            int parts = 1 << (isSigned ? i : i + 1);
            float power = (float)Math.Pow(10, i - (Powers - 1));
            for (int part = 0; part < parts; part++)
            {
                float value = power * ((Point(part, parts) + Point(part + 1, parts)) / 2);
                values.Add(value);
                if (isSigned)
                    values.Add(-value);
            }
        }

        values.Sort();
        return [.. values];
    }

    /// <summary>torch.linspace(0.1, 1, parts + 1)[index] in fp32: counted up from 0.1 in its first half and down from 1 in its second, one rounding a point.</summary>
    private static float Point(int index, int parts)
    {
        const float Start = 0.1f, End = 1f;
        float step = (End - Start) / parts;
        return index < (parts + 1) / 2 ? MathF.FusedMultiplyAdd(step, index, Start) : MathF.FusedMultiplyAdd(-step, parts - index, End);
    }
}
