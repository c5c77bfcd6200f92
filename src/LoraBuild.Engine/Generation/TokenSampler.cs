// Chooses the next token from its logits.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Generation;

/// <summary>Greedy, or temperature and top-p sampling. The same seed gives the same choices for the same logits.</summary>
internal sealed class TokenSampler(double temperature, double topP, long seed)
{
    private ulong state = unchecked((ulong)seed);

    public int Choose(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best])
                best = i;
        }

        return temperature == 0 ? best : Sample(logits, logits[best]);
    }

    private int Sample(ReadOnlySpan<float> logits, float largest)
    {
        double[] weights = new double[logits.Length];
        int[] order = new int[logits.Length];
        double sum = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            weights[i] = Math.Exp((logits[i] - largest) / temperature);
            sum += weights[i];
            order[i] = i;
        }

        double kept = sum;
        int count = order.Length;
        if (topP < 1)
        {
            // Most likely first; equal ones by id, so that the choice does not depend on the sort.
            Array.Sort(order, (a, b) => weights[a] == weights[b] ? a.CompareTo(b) : weights[b].CompareTo(weights[a]));
            kept = 0;
            for (count = 0; count < order.Length && kept < topP * sum; count++)
                kept += weights[order[count]];
        }

        double point = NextUnit() * kept;
        for (int i = 0; i < count; i++)
        {
            point -= weights[order[i]];
            if (point < 0)
                return order[i];
        }

        return order[count - 1];
    }

    // 53 bits in [0, 1).
    private double NextUnit() => (SplitMix64.Next(ref state) >> 11) * (1.0 / (1UL << 53));
}
