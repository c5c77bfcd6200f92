// Finds the scale, or scale and minimum, with which a short run of values loses least when it is rounded to a few bits.
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LoraBuild.Core.Formats.Gguf;

/// <summary>Sums over a run of values x and their integer codes q.</summary>
/// <param name="Q">Σq</param>
/// <param name="Qq">Σq²</param>
/// <param name="Xq">Σxq</param>
internal readonly record struct CodeSums(double Q, double Qq, double Xq);

/// <summary>
/// Minimises Σ(x − x̂)². Candidates spread the codes a little wider or narrower than the values reach; each one's codes are then given their least-squares scale.
/// Runs are a multiple of 16 long. All sums have one fixed order and no fused operations: the result is the same on every machine.
/// </summary>
internal static class ScaleSearch
{
    private const int Lanes = 8;

    /// <summary>So many codes wider or narrower than the values reach are the widest and the narrowest candidate.</summary>
    private const float Reach = 1;

    /// <summary>x̂ = scale·q with lowest ≤ q ≤ highest. The scale may be negative: the longer side of the codes then serves the other sign.</summary>
    /// <param name="steps">Candidates on either side of the plain one, spread over <see cref="Reach"/>: with many codes the plain one is nearly as good, and few do.</param>
    public static float Signed(ReadOnlySpan<float> x, int lowest, int highest, int steps)
    {
        float extreme = 0;
        foreach (float value in x)
            extreme = Math.Abs(value) > Math.Abs(extreme) ? value : extreme;
        if (extreme == 0)
            return 0;
        double bestGain = 0, best = 0;
        void Try(ReadOnlySpan<float> run, float inverse)
        {
            CodeSums sums = Sums(run, inverse, 0, lowest, highest);
            if (sums.Qq > 0 && sums.Xq * sums.Xq > bestGain * sums.Qq)
                (bestGain, best) = (sums.Xq * sums.Xq / sums.Qq, sums.Xq / sums.Qq);
        }

        for (int step = -steps; step <= steps; step++)
        {
            Try(x, (lowest - (step * Reach / steps)) / extreme);
            Try(x, (highest + (step * Reach / steps)) / extreme);
        }

        for (int round = 0; round < 2; round++)
            Try(x, (float)(1 / best));
        return (float)best;
    }

    /// <summary>x̂ = scale·q − min with 0 ≤ q ≤ highest, scale ≥ 0, min ≥ 0.</summary>
    public static (float Scale, float Min) Affine(ReadOnlySpan<float> x, int highest, int steps)
    {
        float low = 0, high = 0; // a minimum above 0 has no code
        double sum = 0;
        foreach (float value in x)
        {
            low = value < low ? value : low;
            high = value > high ? value : high;
            sum += value;
        }

        if (high == low)
            return (0, 0);
        int count = x.Length;
        double bestGain = double.NegativeInfinity, bestScale = 0, bestMin = 0;
        void Try(ReadOnlySpan<float> run, float inverse, float min)
        {
            CodeSums sums = Sums(run, inverse, min, 0, highest);
            double determinant = (count * sums.Qq) - (sums.Q * sums.Q);
            double scale = determinant > 0 ? ((count * sums.Xq) - (sum * sums.Q)) / determinant : 0;
            double offset = determinant > 0 ? ((sums.Qq * sum) - (sums.Q * sums.Xq)) / determinant : sum / count;
            if (offset > 0)
                (scale, offset) = (sums.Qq > 0 ? sums.Xq / sums.Qq : 0, 0);
            double gain = (scale * sums.Xq) + (offset * sum); // what the least-squares fit takes off Σx²
            if (scale >= 0 && gain > bestGain)
                (bestGain, bestScale, bestMin) = (gain, scale, -offset);
        }

        for (int step = -steps; step <= steps; step++)
            Try(x, (highest + (step * Reach / steps)) / (high - low), -low);
        for (int round = 0; round < 2 && bestScale > 0; round++)
            Try(x, (float)(1 / bestScale), (float)bestMin);
        return ((float)bestScale, (float)bestMin);
    }

    /// <summary>Codes q = clamp(round((x + min)·inverse)), summed.</summary>
    public static CodeSums Sums(ReadOnlySpan<float> x, float inverse, float min, int lowest, int highest)
    {
        ref float start = ref MemoryMarshal.GetReference(x);
        Vector256<float> q1 = Vector256<float>.Zero, q2 = q1, xq = q1;
        for (int i = 0; i < x.Length; i += Lanes)
        {
            Vector256<float> v = Vector256.LoadUnsafe(ref start, (nuint)i);
            Vector256<float> q = Codes(v, inverse, min, lowest, highest);
            q1 += q;
            q2 += q * q;
            xq += q * v;
        }

        return new CodeSums(Sum(q1), Sum(q2), Sum(xq));
    }

    /// <summary>Σ(x − (scale·q − min))² with the best codes.</summary>
    public static float Error(ReadOnlySpan<float> x, float scale, float min, int lowest, int highest)
    {
        ref float start = ref MemoryMarshal.GetReference(x);
        float inverse = Inverse(scale);
        Vector256<float> error = Vector256<float>.Zero;
        for (int i = 0; i < x.Length; i += Lanes)
        {
            Vector256<float> v = Vector256.LoadUnsafe(ref start, (nuint)i);
            Vector256<float> difference = v - ((Codes(v, inverse, min, lowest, highest) * scale) - Vector256.Create(min));
            error += difference * difference;
        }

        return Sum(error);
    }

    /// <summary>The codes, shifted so that the lowest is 0.</summary>
    public static void WriteCodes(ReadOnlySpan<float> x, float scale, float min, int lowest, int highest, Span<byte> codes)
    {
        ref float start = ref MemoryMarshal.GetReference(x);
        float inverse = Inverse(scale);
        for (int i = 0; i < x.Length; i += 2 * Lanes)
        {
            Vector256<int> low = Vector256.ConvertToInt32(Codes(Vector256.LoadUnsafe(ref start, (nuint)i), inverse, min, lowest, highest)) - Vector256.Create(lowest);
            Vector256<int> high = Vector256.ConvertToInt32(Codes(Vector256.LoadUnsafe(ref start, (nuint)(i + Lanes)), inverse, min, lowest, highest)) - Vector256.Create(lowest);
            Vector256<short> both = Vector256.Narrow(low, high);
            Vector128.Narrow(both.GetLower(), both.GetUpper()).AsByte().CopyTo(codes[i..]);
        }
    }

    /// <summary>0 for a scale of 0, whose codes do not matter.</summary>
    private static float Inverse(float scale) => scale == 0 ? 0 : 1 / scale;

    private static Vector256<float> Codes(Vector256<float> x, float inverse, float min, int lowest, int highest) =>
        Vector256.ClampNative(Vector256.Round((x + Vector256.Create(min)) * inverse), Vector256.Create((float)lowest), Vector256.Create((float)highest));

    private static float Sum(Vector256<float> x)
    {
        Vector128<float> four = x.GetLower() + x.GetUpper();
        four += Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1));
        return four[0] + four[1];
    }
}
