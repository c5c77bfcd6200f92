// llama3 rope scaling as the tensor that llama.cpp wants: factors that divide each frequency.
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Export;

public static class RopeFrequencies
{
    /// <summary>[head_dim / 2]: 1 for short wavelengths, <c>factor</c> for long ones, the harmonic mixture between (golden README §1, "Rope").</summary>
    public static float[] Llama3Factors(RopeConfig rope, int headDim)
    {
        float[] factors = new float[headDim / 2];
        for (int i = 0; i < factors.Length; i++)
        {
            double wavelength = 2 * Math.PI * Math.Pow(rope.Theta, 2.0 * i / headDim);
            double rotations = rope.OriginalMaxPositionEmbeddings / wavelength;
            double share = Math.Clamp((rotations - rope.LowFreqFactor) / (rope.HighFreqFactor - rope.LowFreqFactor), 0, 1);
            factors[i] = (float)(1 / (((1 - share) / rope.Factor) + share));
        }

        return factors;
    }
}
