// Encodes Q3_K and Q6_K: blocks of 256 in 16 parts with a signed scale each, x̂ = d·s·q.
using System.Buffers.Binary;

namespace LoraBuild.Core.Formats.Gguf;

internal static class KSignedBlocks
{
    private const int Parts = 16;
    private const int PartSize = KScales.BlockSize / Parts;
    private const int Rounds = 3;

    /// <summary>Codes from −<paramref name="Codes"/> to <paramref name="Codes"/> − 1; scales likewise.</summary>
    private sealed record Range(int Codes, int Scales, int Steps);

    private static readonly Range Q3 = new(4, 32, 8);
    private static readonly Range Q6 = new(32, 128, 2);

    /// <summary>One block.</summary>
    public static void Encode(GgmlType type, ReadOnlySpan<float> x, Span<byte> y)
    {
        Range range = type switch
        {
            GgmlType.Q3_K => Q3,
            GgmlType.Q6_K => Q6,
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
        };
        Span<float> values = stackalloc float[KScales.BlockSize];
        y.Clear();
        float power = KScales.Normalise(x, values);
        if (power == 0)
            return;
        Span<sbyte> scales = stackalloc sbyte[Parts];
        Span<byte> codes = stackalloc byte[KScales.BlockSize];
        Half d = Fit(range, values, power, scales);
        for (int part = 0; part < Parts; part++)
            ScaleSearch.WriteCodes(values.Slice(part * PartSize, PartSize), (float)d / power * scales[part], 0, -range.Codes, range.Codes - 1, codes[(part * PartSize)..]);
        if (type == GgmlType.Q3_K)
            PackQ3(y, d, scales, codes);
        else
            PackQ6(y, d, scales, codes);
    }

    /// <summary>Each part's own best scale, then integers for them, then d by least squares over the block, as long as that helps.</summary>
    private static Half Fit(Range range, ReadOnlySpan<float> x, float power, Span<sbyte> bestScales)
    {
        Span<float> scale = stackalloc float[Parts];
        Span<sbyte> scales = stackalloc sbyte[Parts];
        float extreme = 0;
        for (int part = 0; part < Parts; part++)
        {
            scale[part] = ScaleSearch.Signed(x.Slice(part * PartSize, PartSize), -range.Codes, range.Codes - 1, range.Steps);
            extreme = Math.Abs(scale[part]) > Math.Abs(extreme) ? scale[part] : extreme;
        }

        Half d = KScales.Round((double)extreme / -range.Scales, power), best = d;
        double bestError = double.PositiveInfinity;
        for (int round = 0; round < Rounds && d != Half.Zero; round++)
        {
            float unit = (float)d / power;
            double error = 0, aa = 0, xa = 0; // a = s·q
            for (int part = 0; part < Parts; part++)
            {
                ReadOnlySpan<float> run = x.Slice(part * PartSize, PartSize);
                error += Choose(range, run, unit, scale[part], out scales[part]);
                CodeSums sums = ScaleSearch.Sums(run, scales[part] == 0 ? 0 : 1 / (unit * scales[part]), 0, -range.Codes, range.Codes - 1);
                aa += (double)scales[part] * scales[part] * sums.Qq;
                xa += scales[part] * sums.Xq;
            }

            if (error >= bestError)
                break;
            bestError = error;
            best = d;
            scales.CopyTo(bestScales);
            d = KScales.Round(aa > 0 ? xa / aa : 0, power);
        }

        return best;
    }

    private static float Choose(Range range, ReadOnlySpan<float> x, float unit, float scale, out sbyte best)
    {
        int middle = (int)MathF.Round(Math.Clamp(scale / unit, -range.Scales, range.Scales - 1));
        float bestError = float.PositiveInfinity;
        best = 0;
        for (int s = Math.Max(middle - 1, -range.Scales); s <= Math.Min(middle + 1, range.Scales - 1); s++)
        {
            float error = ScaleSearch.Error(x, unit * s, 0, -range.Codes, range.Codes - 1);
            if (error < bestError)
                (bestError, best) = (error, (sbyte)s);
        }

        return bestError;
    }

    /// <summary>[32] bit 2 of the codes, [64] their lower two bits, [12] scales of 6 bits, d. Codes and scales are stored without sign.</summary>
    private static void PackQ3(Span<byte> y, Half d, ReadOnlySpan<sbyte> scales, ReadOnlySpan<byte> codes)
    {
        for (int i = 0; i < KScales.BlockSize; i++)
            y[i % 32] |= (byte)(codes[i] >> 2 << (i / 32));
        KCodes.PackTwoBits(codes, y[32..96]);
        Span<byte> packed = y[96..108];
        for (int part = 0; part < Parts; part++)
        {
            int scale = scales[part] + 32;
            packed[part % 8] |= (byte)((scale & 15) << (part / 8 * 4));
            packed[8 + (part % 4)] |= (byte)(scale >> 4 << (part / 4 * 2));
        }

        BinaryPrimitives.WriteHalfLittleEndian(y[108..], d);
    }

    /// <summary>[128] the lower four bits of the codes, [64] the upper two, [16] scales, d.</summary>
    private static void PackQ6(Span<byte> y, Half d, ReadOnlySpan<sbyte> scales, ReadOnlySpan<byte> codes)
    {
        Span<byte> high = stackalloc byte[KScales.BlockSize];
        for (int i = 0; i < KScales.BlockSize; i++)
            high[i] = (byte)(codes[i] >> 4);
        for (int i = 0; i < 128; i++)
        {
            int first = (i / 64 * 128) + (i % 64);
            y[i] = (byte)((codes[first] & 15) | ((codes[first + 64] & 15) << 4));
        }

        KCodes.PackTwoBits(high, y[128..192]);
        for (int part = 0; part < Parts; part++)
            y[192 + part] = (byte)scales[part];
        BinaryPrimitives.WriteHalfLittleEndian(y[208..], d);
    }
}
