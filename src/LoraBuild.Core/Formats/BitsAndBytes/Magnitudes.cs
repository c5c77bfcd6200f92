// The largest magnitude of a run of numbers: what every scale begins with.
using System.Runtime.Intrinsics;

namespace LoraBuild.Core.Formats.BitsAndBytes;

internal static class Magnitudes
{
    /// <returns>0 for an empty run. A NaN is passed over.</returns>
    public static float Largest(ReadOnlySpan<float> values)
    {
        Vector256<float> wide = Vector256<float>.Zero;
        int i = 0;
        for (; i <= values.Length - Vector256<float>.Count; i += Vector256<float>.Count)
            wide = Vector256.MaxNative(Vector256.Abs(Vector256.Create(values[i..])), wide);
        float largest = 0;
        for (int lane = 0; lane < Vector256<float>.Count; lane++)
            largest = Math.Max(largest, wide[lane]);
        for (; i < values.Length; i++)
        {
            float magnitude = Math.Abs(values[i]);
            if (magnitude > largest)
                largest = magnitude;
        }

        return largest;
    }
}
