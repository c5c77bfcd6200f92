// Which split a document belongs to, from its content and the seed alone: adding or removing others never moves it.
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LoraBuild.Core.Data;

internal enum SplitName
{
    Train,
    Eval,
    Test,
}

internal static class DocumentSplit
{
    public static SplitName Of(ReadOnlySpan<byte> contentHash, long seed, double eval, double test)
    {
        double place = Fraction("split", contentHash, seed);
        return place < eval ? SplitName.Eval : place < eval + test ? SplitName.Test : SplitName.Train;
    }

    /// <summary>How often a document of this weight is trained: the whole part, and one more with the rest as probability.</summary>
    public static int Copies(ReadOnlySpan<byte> contentHash, long seed, double weight) =>
        (int)Math.Floor(weight) + (Fraction("weight", contentHash, seed) < weight - Math.Floor(weight) ? 1 : 0);

    /// <summary>A number in [0, 1) that only the purpose, the seed and the content decide.</summary>
    private static double Fraction(string purpose, ReadOnlySpan<byte> contentHash, long seed)
    {
        byte[] input = [.. Encoding.ASCII.GetBytes(purpose), .. new byte[8], .. contentHash];
        BinaryPrimitives.WriteInt64LittleEndian(input.AsSpan(purpose.Length), seed);
        return (BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(input)) >> 11) * (1.0 / (1UL << 53));
    }
}
