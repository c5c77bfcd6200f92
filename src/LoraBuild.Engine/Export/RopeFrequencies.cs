// Rope scaling that is not metadata: factors that divide each frequency, as the tensors that llama.cpp wants.
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

    /// <summary>The scaling's tensors; none for types that metadata describe.</summary>
    internal static IEnumerable<(string Name, float[] Factors)> Tensors(ModelConfig config) => config.Rope.Type switch
    {
        "llama3" => [("rope_freqs.weight", Llama3Factors(config.Rope, config.HeadDim))],
        "longrope" =>
        [
            ("rope_factors_long.weight", [.. config.Rope.LongFactor.Select(f => (float)f)]),
            ("rope_factors_short.weight", [.. config.Rope.ShortFactor.Select(f => (float)f)]),
        ],
        _ => [],
    };

    /// <summary>Factor on cos and sin that makes up for the longer context (LongRoPE; golden README §1, "Rope").</summary>
    internal static double LongRopeAttentionFactor(double factor, int originalLength) =>
        factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(originalLength)));
}
