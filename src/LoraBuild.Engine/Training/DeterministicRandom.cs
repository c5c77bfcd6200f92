// Random numbers that are the same on every machine and .NET version: xoshiro256** seeded through SplitMix64.
using System.Numerics;
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Training;

/// <summary>xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018).</summary>
public sealed class DeterministicRandom
{
    private ulong s0;
    private ulong s1;
    private ulong s2;
    private ulong s3;

    public DeterministicRandom(ulong seed)
    {
        s0 = SplitMix64.Next(ref seed);
        s1 = SplitMix64.Next(ref seed);
        s2 = SplitMix64.Next(ref seed);
        s3 = SplitMix64.Next(ref seed);
    }

    public ulong NextUInt64()
    {
        ulong result = BitOperations.RotateLeft(s1 * 5, 7) * 9;
        ulong t = s1 << 17;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= t;
        s3 = BitOperations.RotateLeft(s3, 45);
        return result;
    }

    /// <summary>Uniform in 0 … <paramref name="bound"/> − 1 without bias (Lemire 2019: multiply, reject the short remainder).</summary>
    public int Next(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        ulong range = (ulong)bound;
        ulong threshold = (0 - range) % range;
        while (true)
        {
            ulong high = Math.BigMul(NextUInt64(), range, out ulong low);
            if (low >= threshold)
                return (int)high;
        }
    }

    /// <summary>Fisher–Yates from the end.</summary>
    public void Shuffle<T>(Span<T> values)
    {
        for (int i = values.Length - 1; i > 0; i--)
        {
            int j = Next(i + 1);
            (values[i], values[j]) = (values[j], values[i]);
        }
    }

    /// <summary>One well-mixed seed from several numbers, so that neighbouring steps and micro-batches get unrelated generators.</summary>
    public static long Combine(params ReadOnlySpan<long> parts)
    {
        ulong state = 0x6c6f7261_6275696cUL;
        foreach (long part in parts)
        {
            state ^= (ulong)part;
            state = SplitMix64.Next(ref state);
        }

        return (long)(state >> 1);
    }
}
