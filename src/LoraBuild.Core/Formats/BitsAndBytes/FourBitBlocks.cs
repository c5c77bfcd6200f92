// Blocks of four-bit codes with one scale each, bit for bit as bitsandbytes makes and reads them.
using System.Runtime.Intrinsics;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Formats.BitsAndBytes;

/// <summary>
/// A tensor is taken row after row as one run of numbers; blocks cross rows, and the last one may be short. The scale of a block is its largest magnitude;
/// two codes stand in a byte, the first in the high half. The values are those of bitsandbytes 0.50 (NF4 of its portable and native CPU code; FP4 with the
/// thresholds of its CUDA kernel).
/// </summary>
public static class FourBitBlocks
{
    public const int DefaultBlockSize = 64;

    /// <summary>Blocks that one call of a worker thread encodes.</summary>
    private const int BlocksAtOnce = 1024;

    /// <summary>bitsandbytes clamps scales here before it divides by them.</summary>
    private const float LeastScale = 1e-38f;

    public static long BlockCount(long elements, int blockSize) => (elements + blockSize - 1) / blockSize;

    public static long PackedBytes(long elements) => (elements + 1) / 2;

    /// <summary>Encodes a run that begins at a block's start.</summary>
    /// <param name="blockSize">Even.</param>
    /// <param name="packed">Receives <see cref="PackedBytes"/> bytes.</param>
    /// <param name="scales">Receives <see cref="BlockCount"/> largest magnitudes.</param>
    /// <param name="threads">Null: all cores.</param>
    public static void Encode(WeightCode code, ReadOnlyMemory<float> values, int blockSize, Memory<byte> packed, Memory<float> scales, int? threads = null)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(blockSize % 2, 0, nameof(blockSize));
        long blocks = BlockCount(values.Length, blockSize);
        BoundedParallel.For((int)((blocks + BlocksAtOnce - 1) / BlocksAtOnce), threads, piece =>
        {
            Span<byte> codes = stackalloc byte[blockSize];
            int last = (int)Math.Min(blocks, (piece + 1L) * BlocksAtOnce);
            for (int block = piece * BlocksAtOnce; block < last; block++)
            {
                int start = block * blockSize;
                int count = Math.Min(blockSize, values.Length - start);
                scales.Span[block] = EncodeBlock(code, values.Span.Slice(start, count), count == blockSize, codes);
                Pack(codes[..count], ZeroCode(code), packed.Span.Slice(start / 2, (count + 1) / 2));
            }
        });
    }

    /// <summary>Decodes the elements [first, first + destination.Length): value of the code × scale of its block, one rounding.</summary>
    /// <param name="table">The sixteen values (<see cref="FourBitTables.Values"/>, or those that a checkpoint brings).</param>
    /// <param name="packed">Of the whole tensor.</param>
    /// <param name="scales">Of the whole tensor.</param>
    public static void Decode(ReadOnlySpan<float> table, ReadOnlySpan<byte> packed, ReadOnlySpan<float> scales, int blockSize, long first, Span<float> destination)
    {
        for (int done = 0; done < destination.Length;)
        {
            long element = first + done;
            int count = (int)Math.Min(destination.Length - done, blockSize - (element % blockSize));
            float scale = scales[(int)(element / blockSize)];
            for (int i = 0; i < count; i++)
            {
                byte two = packed[(int)((element + i) / 2)];
                destination[done + i] = table[(element + i) % 2 == 0 ? two >> 4 : two & 15] * scale;
            }

            done += count;
        }
    }

    /// <summary>What fills the last half byte of an odd count.</summary>
    private static byte ZeroCode(WeightCode code) => code == WeightCode.Nf4 ? (byte)7 : (byte)0;

    private static float EncodeBlock(WeightCode code, ReadOnlySpan<float> values, bool isFull, Span<byte> codes)
    {
        float scale = Magnitudes.Largest(values);
        // A full block is multiplied with the rounded reciprocal, a short last one divided.
        float divisor = Math.Max(scale, LeastScale);
        float factor = isFull ? 1 / divisor : 0;
        int i = 0;
        for (; isFull && i <= values.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> v = Vector256.Min(Vector256.Max(Vector256.Create(values[i..]) * factor, Vector256.Create(-1f)), Vector256<float>.One);
            Vector256<int> found = code == WeightCode.Nf4 ? CountBelow(v, FourBitTables.Nf4Thresholds) : CountBelow(Vector256.Abs(v), FourBitTables.Fp4Thresholds);
            if (code == WeightCode.Fp4)
                found |= Vector256.LessThan(v, Vector256<float>.Zero).AsInt32() & Vector256.Create(8 << 4);
            for (int lane = 0; lane < Vector256<int>.Count; lane++)
                codes[i + lane] = Pattern(code, found[lane]);
        }

        for (; i < values.Length; i++)
        {
            float v = Math.Clamp(isFull ? values[i] * factor : values[i] / divisor, -1f, 1f);
            codes[i] = Pattern(code, code == WeightCode.Nf4 ? CountBelow(v, FourBitTables.Nf4Thresholds) : CountBelow(Math.Abs(v), FourBitTables.Fp4Thresholds) | (v < 0 ? 8 << 4 : 0));
        }

        return scale;
    }

    /// <param name="found">Thresholds below; of FP4 with the sign four bits higher.</param>
    private static byte Pattern(WeightCode code, int found) =>
        code == WeightCode.Nf4 ? (byte)found : (byte)(FourBitTables.Fp4Patterns[found & 7] | (found >> 4));

    private static Vector256<int> CountBelow(Vector256<float> values, float[] thresholds)
    {
        Vector256<int> count = Vector256<int>.Zero;
        foreach (float threshold in thresholds)
            count -= Vector256.GreaterThan(values, Vector256.Create(threshold)).AsInt32();
        return count;
    }

    private static int CountBelow(float value, float[] thresholds)
    {
        int count = 0;
        foreach (float threshold in thresholds)
            count += value > threshold ? 1 : 0;
        return count;
    }

    private static void Pack(ReadOnlySpan<byte> codes, byte filler, Span<byte> packed)
    {
        for (int i = 0; i < codes.Length / 2; i++)
            packed[i] = (byte)((codes[2 * i] << 4) | codes[(2 * i) + 1]);
        if (codes.Length % 2 != 0)
            packed[^1] = (byte)((codes[^1] << 4) | filler);
    }
}
