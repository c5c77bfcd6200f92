// Blocks of numbers to and from bitsandbytes' dynamic 8-bit types, fast enough for every step.
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LoraBuild.Core.Formats.BitsAndBytes;

namespace LoraBuild.Engine.Quantization;

/// <summary>
/// <see cref="DynamicCodes"/> with a search of one table look-up and one comparison. Dettmers et al. 2022, "8-bit Optimizers via Block-wise Quantization", §2: small numbers keep their size, large ones their digits.
/// </summary>
public sealed class DynamicCodebook
{
    public const int Size = 256;

    // Numbers are told apart by sign, exponent and 7 bits of mantissa; of one such bucket all but at most one midpoint lie outside. Below 2^−24 there is none.
    private const int BucketShift = 16;
    private const uint FirstBucket = (127 - 24) << 7;
    private const int BucketsOfSign = (24 << 7) + 2;

    private readonly float[] values;
    private readonly float[] midpoints = new float[Size]; // between a value and the next; after the last one +∞
    private readonly byte[] lowestCodes = new byte[2 * BucketsOfSign]; // of positive numbers, then of negative ones

    private DynamicCodebook(float[] values)
    {
        this.values = values;
        for (int i = 0; i + 1 < Size; i++)
            midpoints[i] = (values[i] + values[i + 1]) / 2;
        midpoints[^1] = float.PositiveInfinity;
        for (uint bucket = 0; bucket < BucketsOfSign; bucket++)
        {
            float low = bucket == 0 ? 0 : BitConverter.UInt32BitsToSingle((bucket - 1 + FirstBucket) << BucketShift);
            float high = BitConverter.UInt32BitsToSingle(((bucket + FirstBucket) << BucketShift) - 1);
            lowestCodes[bucket] = LowestOf(low, high);
            lowestCodes[BucketsOfSign + bucket] = LowestOf(-high, -low);
        }
    }

    /// <summary>For numbers of both signs.</summary>
    public static DynamicCodebook Signed { get; } = new(DynamicCodes.Signed.ToArray());

    /// <summary>For numbers ≥ 0, twice as fine.</summary>
    public static DynamicCodebook Unsigned { get; } = new(DynamicCodes.Unsigned.ToArray());

    /// <summary>[256], rising.</summary>
    public ReadOnlySpan<float> Values => values;

    /// <summary>The number of midpoints below <paramref name="value"/>: the nearest value, and exactly between two the lower one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte CodeOf(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        int bucket = Math.Clamp((int)((bits & int.MaxValue) >> BucketShift) - (int)FirstBucket + 1, 0, BucketsOfSign - 1);
        byte code = Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(lowestCodes), bucket + ((int)(bits >> 31) * BucketsOfSign));
        return (byte)(code + (Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(midpoints), code) < value ? 1 : 0));
    }

    /// <summary>Writes the codes of one block; returns its scale, the largest |x|.</summary>
    /// <param name="block">Finite numbers.</param>
    public float Encode(ReadOnlySpan<float> block, Span<byte> codes)
    {
        float largest = LargestMagnitude(block);
        float factor = 1 / largest;
        if (!float.IsFinite(factor)) // all 0, or so small that 1/s is not a number: then each is divided
        {
            for (int i = 0; i < block.Length; i++)
                codes[i] = CodeOf(largest == 0 ? 0 : Math.Clamp(block[i] / largest, -1, 1));
            return largest;
        }

        ref float source = ref MemoryMarshal.GetReference(block);
        ref byte target = ref MemoryMarshal.GetReference(codes[..block.Length]);
        for (int i = 0; i < block.Length; i++)
            Unsafe.Add(ref target, i) = CodeOf(Math.Clamp(Unsafe.Add(ref source, i) * factor, -1, 1));
        return largest;
    }

    /// <summary>x = value of the code · scale.</summary>
    public void Decode(ReadOnlySpan<byte> codes, float scale, Span<float> block)
    {
        ref float table = ref MemoryMarshal.GetArrayDataReference(values);
        ref byte source = ref MemoryMarshal.GetReference(codes);
        ref float target = ref MemoryMarshal.GetReference(block[..codes.Length]);
        for (int i = 0; i < codes.Length; i++)
            Unsafe.Add(ref target, i) = Unsafe.Add(ref table, Unsafe.Add(ref source, i)) * scale;
    }

    private static float LargestMagnitude(ReadOnlySpan<float> block)
    {
        ReadOnlySpan<Vector<float>> whole = MemoryMarshal.Cast<float, Vector<float>>(block);
        Vector<float> largest = Vector<float>.Zero;
        foreach (Vector<float> part in whole)
            largest = Vector.Max(largest, Vector.Abs(part));
        float result = 0;
        for (int i = 0; i < Vector<float>.Count; i++)
            result = Math.Max(result, largest[i]);
        foreach (float x in block[(whole.Length * Vector<float>.Count)..])
            result = Math.Max(result, Math.Abs(x));
        return result;
    }

    private byte LowestOf(float least, float greatest)
    {
        int code = midpoints.Count(m => m < least);
        return midpoints.Count(m => m < greatest) <= code + 1 ? (byte)code : throw new InvalidOperationException($"two midpoints between {least:R} and {greatest:R}");
    }
}
