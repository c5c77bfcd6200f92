// A random number for each place of a sequence.
namespace LoraBuild.Engine.Models;

/// <summary>SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).</summary>
internal static class SplitMix64
{
    // What the state grows by from one place to the next: 2⁶⁴ over the golden ratio, odd.
    private const ulong Step = 0x9E3779B97F4A7C15UL;

    /// <summary>Number <paramref name="place"/> of the sequence that starts at <paramref name="seed"/>.</summary>
    public static ulong Number(ulong seed, ulong place)
    {
        ulong z = unchecked(seed + ((place + 1) * Step));
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EBUL);
        return z ^ (z >> 31);
    }

    /// <summary>The first number of the sequence that starts at <paramref name="state"/>, which becomes where the second one starts.</summary>
    public static ulong Next(ref ulong state)
    {
        ulong number = Number(state, 0);
        state = unchecked(state + Step);
        return number;
    }
}
