// cos and sin of every position, made once for each rope and length.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Tables of one <see cref="RopeSpec"/>; they grow when a longer position comes.</summary>
internal sealed class RopeTables(RopeSpec spec) : IDisposable
{
    private readonly Dictionary<bool, (Tensor Cos, Tensor Sin)> tables = []; // [positions, d / 2] fp32, by "is long"

    /// <summary>The rows of some positions.</summary>
    /// <param name="positionIds">int64 [P].</param>
    /// <param name="largestPosition">Decides the table's length, and short or long factors of LongRope for the whole batch.</param>
    /// <returns>cos and sin [P, 1, d / 2] in <paramref name="type"/>; the caller disposes them.</returns>
    public (Tensor Cos, Tensor Sin) Rows(Tensor positionIds, int largestPosition, ScalarType type)
    {
        bool isLong = spec.Scaling == RopeScaling.LongRope && largestPosition + 1 > spec.OriginalMaxPositions;
        if (!tables.TryGetValue(isLong, out var table) || table.Cos.shape[0] <= largestPosition)
        {
            table.Cos?.Dispose();
            table.Sin?.Dispose();
            tables[isLong] = table = Build(Frequencies(spec, isLong), Math.Max(256, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)largestPosition + 1)), positionIds.device);
        }

        return (Select(table.Cos), Select(table.Sin));

        Tensor Select(Tensor source)
        {
            using Tensor rows = source.index_select(0, positionIds);
            using Tensor typed = TensorTypes.Converted(rows, type, rows.device);
            return typed.unsqueeze(1);
        }
    }

    public void Dispose()
    {
        foreach ((Tensor cos, Tensor sin) in tables.Values)
        {
            cos.Dispose();
            sin.Dispose();
        }

        tables.Clear();
    }

    /// <summary>f_0 … f_(d/2−1) in radians a position, computed in fp32 as the reference does.</summary>
    internal static float[] Frequencies(RopeSpec spec, bool isLong)
    {
        int half = spec.RotaryWidth / 2;
        float[] frequencies = new float[half];
        for (int i = 0; i < half; i++)
            frequencies[i] = 1f / MathF.Pow((float)spec.Theta, 2 * i / (float)spec.RotaryWidth);
        switch (spec.Scaling)
        {
            case RopeScaling.None:
                break;
            case RopeScaling.Linear:
                for (int i = 0; i < half; i++)
                    frequencies[i] /= (float)spec.Factor;
                break;
            case RopeScaling.Llama3:
                for (int i = 0; i < half; i++)
                    frequencies[i] = Llama3(frequencies[i], spec);
                break;
            case RopeScaling.Yarn:
                Yarn(frequencies, spec);
                break;
            case RopeScaling.LongRope:
                IReadOnlyList<double> factors = isLong ? spec.LongFactors : spec.ShortFactors;
                for (int i = 0; i < half; i++)
                    frequencies[i] = 1f / ((float)factors[i] * MathF.Pow((float)spec.Theta, 2 * i / (float)spec.RotaryWidth));
                break;
            default:
                throw new InvalidOperationException($"rope scaling {spec.Scaling} has no formula");
        }

        return frequencies;
    }

    private static float Llama3(float frequency, RopeSpec spec)
    {
        double wavelength = 2 * Math.PI / frequency;
        double length = spec.OriginalMaxPositions;
        if (wavelength > length / spec.LowFreqFactor)
            return (float)(frequency / spec.Factor);
        if (wavelength < length / spec.HighFreqFactor)
            return frequency;
        double t = ((length / wavelength) - spec.LowFreqFactor) / (spec.HighFreqFactor - spec.LowFreqFactor);
        return (float)(((1 - t) * frequency / spec.Factor) + (t * frequency));
    }

    private static void Yarn(float[] frequencies, RopeSpec spec)
    {
        int d = spec.RotaryWidth;
        double Correction(double beta) => d * Math.Log(spec.OriginalMaxPositions / (2 * Math.PI * beta)) / (2 * Math.Log(spec.Theta));
        double low = Math.Max(Math.Floor(Correction(spec.BetaFast)), 0);
        double high = Math.Min(Math.Ceiling(Correction(spec.BetaSlow)), d - 1);
        double width = high == low ? 0.001 : high - low; // no division by zero, as the reference
        for (int i = 0; i < frequencies.Length; i++)
        {
            double ramp = Math.Clamp((i - low) / width, 0, 1);
            frequencies[i] = (float)((frequencies[i] * (1 - ramp)) + (frequencies[i] / spec.Factor * ramp));
        }
    }

    private (Tensor Cos, Tensor Sin) Build(float[] frequencies, int positions, Device device)
    {
        int half = frequencies.Length;
        float[] cos = new float[(long)positions * half];
        float[] sin = new float[(long)positions * half];
        for (int position = 0; position < positions; position++)
        {
            for (int i = 0; i < half; i++)
            {
                float angle = position * frequencies[i]; // fp32, as the reference
                (double s, double c) = Math.SinCos(angle);
                cos[(position * half) + i] = (float)(c * spec.AttentionFactor);
                sin[(position * half) + i] = (float)(s * spec.AttentionFactor);
            }
        }

        return (Place(cos), Place(sin));

        Tensor Place(float[] values) =>
            tensor(values, [positions, half], device: device).DetachFromDisposeScope();
    }
}
