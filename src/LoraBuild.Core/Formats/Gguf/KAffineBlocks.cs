// Encodes Q2_K, Q4_K, Q5_K: blocks of 256 whose parts each have a scale and a minimum, x̂ = d·s·q − dmin·m.
using System.Buffers.Binary;

namespace LoraBuild.Core.Formats.Gguf;

internal static class KAffineBlocks
{
    private const int Rounds = 3;

    /// <param name="Parts">Runs with an own scale and minimum.</param>
    private sealed record Shape(int Parts, int HighestCode, int HighestScale, int Steps)
    {
        public int PartSize => KScales.BlockSize / Parts;
    }

    private static readonly Shape Q2 = new(16, 3, 15, 8);
    private static readonly Shape Q4 = new(8, 15, 63, 5);
    private static readonly Shape Q5 = new(8, 31, 63, 3);

    /// <summary>One block.</summary>
    public static void Encode(GgmlType type, ReadOnlySpan<float> x, Span<byte> y)
    {
        Shape shape = type switch
        {
            GgmlType.Q2_K => Q2,
            GgmlType.Q4_K => Q4,
            GgmlType.Q5_K => Q5,
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
        };
        Span<float> values = stackalloc float[KScales.BlockSize];
        y.Clear();
        float power = KScales.Normalise(x, values);
        if (power == 0)
            return;
        Span<byte> scales = stackalloc byte[shape.Parts], mins = stackalloc byte[shape.Parts], codes = stackalloc byte[KScales.BlockSize];
        (Half d, Half dMin) = Fit(shape, values, power, scales, mins);
        for (int part = 0; part < shape.Parts; part++)
        {
            int first = part * shape.PartSize;
            ScaleSearch.WriteCodes(values.Slice(first, shape.PartSize), (float)d / power * scales[part], (float)dMin / power * mins[part], 0, shape.HighestCode, codes[first..]);
        }

        if (type == GgmlType.Q2_K)
            PackQ2(y, d, dMin, scales, mins, codes);
        else
            PackQ4Or5(y, d, dMin, scales, mins, codes, hasHighBits: type == GgmlType.Q5_K);
    }

    /// <summary>Each part's own best scale and minimum, then integers for them, then d and dmin by least squares over the block, as long as that helps.</summary>
    private static (Half D, Half DMin) Fit(Shape shape, ReadOnlySpan<float> x, float power, Span<byte> bestScales, Span<byte> bestMins)
    {
        Span<float> scale = stackalloc float[shape.Parts], min = stackalloc float[shape.Parts];
        Span<byte> scales = stackalloc byte[shape.Parts], mins = stackalloc byte[shape.Parts];
        float largestScale = 0, largestMin = 0;
        for (int part = 0; part < shape.Parts; part++)
        {
            (scale[part], min[part]) = ScaleSearch.Affine(x.Slice(part * shape.PartSize, shape.PartSize), shape.HighestCode, shape.Steps);
            largestScale = Math.Max(largestScale, scale[part]);
            largestMin = Math.Max(largestMin, min[part]);
        }

        Half d = KScales.Round((double)largestScale / shape.HighestScale, power), dMin = KScales.Round((double)largestMin / shape.HighestScale, power);
        (Half D, Half DMin) best = (d, dMin);
        double bestError = double.PositiveInfinity;
        for (int round = 0; round < Rounds; round++)
        {
            float unit = (float)d / power, minUnit = (float)dMin / power;
            double error = 0;
            for (int part = 0; part < shape.Parts; part++)
                error += Choose(shape, x.Slice(part * shape.PartSize, shape.PartSize), unit, minUnit, scale[part], min[part], out scales[part], out mins[part]);
            if (error >= bestError)
                break;
            bestError = error;
            best = (d, dMin);
            scales.CopyTo(bestScales);
            mins.CopyTo(bestMins);
            (d, dMin) = LeastSquares(shape, x, power, unit, minUnit, scales, mins);
            if (d <= Half.Zero)
                break;
        }

        return best;
    }

    /// <summary>The integers around scale/unit and min/minUnit that lose least.</summary>
    private static float Choose(Shape shape, ReadOnlySpan<float> x, float unit, float minUnit, float scale, float min, out byte bestScale, out byte bestMin)
    {
        int middle = unit == 0 ? 0 : (int)MathF.Round(Math.Min(scale / unit, shape.HighestScale)), middleMin = minUnit == 0 ? 0 : (int)MathF.Round(Math.Min(min / minUnit, shape.HighestScale));
        float bestError = float.PositiveInfinity;
        (bestScale, bestMin) = (0, 0);
        for (int s = Math.Max(middle - 1, 0); s <= Math.Min(middle + 1, shape.HighestScale); s++)
        {
            for (int m = Math.Max(middleMin - 1, 0); m <= Math.Min(middleMin + 1, shape.HighestScale); m++)
            {
                float error = ScaleSearch.Error(x, unit * s, minUnit * m, 0, shape.HighestCode);
                if (error < bestError)
                    (bestError, bestScale, bestMin) = (error, (byte)s, (byte)m);
            }
        }

        return bestError;
    }

    /// <summary>d and dmin that minimise Σ(x − d·s·q + dmin·m)² for the codes at hand.</summary>
    private static (Half D, Half DMin) LeastSquares(Shape shape, ReadOnlySpan<float> x, float power, float unit, float minUnit, ReadOnlySpan<byte> scales, ReadOnlySpan<byte> mins)
    {
        double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0; // a = s·q, b = m
        for (int part = 0; part < shape.Parts; part++)
        {
            ReadOnlySpan<float> run = x.Slice(part * shape.PartSize, shape.PartSize);
            double s = scales[part], m = mins[part];
            float step = unit * scales[part];
            CodeSums sums = ScaleSearch.Sums(run, step == 0 ? 0 : 1 / step, minUnit * mins[part], 0, shape.HighestCode);
            double sum = 0;
            foreach (float value in run)
                sum += value;
            aa += s * s * sums.Qq;
            ab += s * m * sums.Q;
            bb += m * m * shape.PartSize;
            xa += s * sums.Xq;
            xb += m * sum;
        }

        double determinant = (aa * bb) - (ab * ab);
        if (determinant > aa * bb * 1e-9)
        {
            double d = ((xa * bb) - (xb * ab)) / determinant, dMin = ((xa * ab) - (xb * aa)) / determinant;
            if (d > 0 && dMin >= 0)
                return (KScales.Round(d, power), KScales.Round(dMin, power));
        }

        double alone = aa > 0 ? (xa + (minUnit * ab)) / aa : 0; // dmin as it is
        return (KScales.Round(Math.Max(alone, 0), power), KScales.Round(minUnit, power));
    }

    /// <summary>[16] scale | min « 4, [64] four codes a byte, d, dmin.</summary>
    private static void PackQ2(Span<byte> y, Half d, Half dMin, ReadOnlySpan<byte> scales, ReadOnlySpan<byte> mins, ReadOnlySpan<byte> codes)
    {
        for (int part = 0; part < 16; part++)
            y[part] = (byte)(scales[part] | (mins[part] << 4));
        KCodes.PackTwoBits(codes, y[16..80]);
        BinaryPrimitives.WriteHalfLittleEndian(y[80..], d);
        BinaryPrimitives.WriteHalfLittleEndian(y[82..], dMin);
    }

    /// <summary>d, dmin, [12] scales and minima of 6 bits, Q5 only: [32] bit 4 of the codes, [128] the lower four bits.</summary>
    private static void PackQ4Or5(Span<byte> y, Half d, Half dMin, ReadOnlySpan<byte> scales, ReadOnlySpan<byte> mins, ReadOnlySpan<byte> codes, bool hasHighBits)
    {
        BinaryPrimitives.WriteHalfLittleEndian(y, d);
        BinaryPrimitives.WriteHalfLittleEndian(y[2..], dMin);
        Span<byte> packed = y[4..16];
        for (int part = 0; part < 4; part++)
        {
            // Parts 0–3 have their six bits in one byte; parts 4–7 have four there and two on top of the first ones.
            packed[part] = (byte)(scales[part] | (scales[part + 4] >> 4 << 6));
            packed[part + 4] = (byte)(mins[part] | (mins[part + 4] >> 4 << 6));
            packed[part + 8] = (byte)((scales[part + 4] & 15) | ((mins[part + 4] & 15) << 4));
        }

        if (hasHighBits)
        {
            Span<byte> high = y[16..48];
            for (int i = 0; i < KScales.BlockSize; i++)
                high[i % 32] |= (byte)(codes[i] >> 4 << (i / 32));
        }

        Span<byte> low = y[(hasHighBits ? 48 : 16)..];
        for (int i = 0; i < 128; i++)
        {
            int first = (i / 32 * 64) + (i % 32);
            low[i] = (byte)((codes[first] & 15) | ((codes[first + 32] & 15) << 4));
        }
    }
}
