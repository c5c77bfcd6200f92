// The two-bit field that Q2_K, Q3_K and Q6_K share: 64 bytes for 256 codes.
namespace LoraBuild.Core.Formats.Gguf;

internal static class KCodes
{
    /// <summary>Byte 32·h + l holds the codes 128·h + 32·j + l, j = 0…3, at bit 2j. Only the lower two bits of a code are taken.</summary>
    public static void PackTwoBits(ReadOnlySpan<byte> codes, Span<byte> packed)
    {
        for (int i = 0; i < 64; i++)
        {
            int first = (i / 32 * 128) + (i % 32);
            packed[i] = (byte)((codes[first] & 3) | ((codes[first + 32] & 3) << 2) | ((codes[first + 64] & 3) << 4) | ((codes[first + 96] & 3) << 6));
        }
    }

    public static void UnpackTwoBits(ReadOnlySpan<byte> packed, Span<byte> codes)
    {
        for (int i = 0; i < KScales.BlockSize; i++)
            codes[i] = (byte)(packed[(i / 128 * 32) + (i % 32)] >> (2 * (i / 32 % 4)) & 3);
    }
}
