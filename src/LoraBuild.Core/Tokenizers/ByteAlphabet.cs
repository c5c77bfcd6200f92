// GPT-2's printable stand-ins for the 256 bytes.
using System.Collections.Frozen;

namespace LoraBuild.Core.Tokenizers;

/// <summary>Printable Latin-1 characters stand for themselves; the other 68 bytes take U+0100 … in their order (GPT-2, <c>bytes_to_unicode</c>).</summary>
internal static class ByteAlphabet
{
    private static readonly char[] CharOfByte = BuildChars();
    private static readonly short[] ByteOfChar = BuildBytes();

    public static FrozenSet<char> Characters { get; } = CharOfByte.ToFrozenSet();

    public static char ToChar(byte value) => CharOfByte[value];

    /// <summary>The byte behind a stand-in, or −1.</summary>
    public static int ToByte(char c) => c < ByteOfChar.Length ? ByteOfChar[c] : -1;

    /// <summary>The stand-ins of the text's UTF-8 bytes.</summary>
    public static string Encode(ReadOnlySpan<char> text)
    {
        byte[] bytes = new byte[System.Text.Encoding.UTF8.GetMaxByteCount(text.Length)];
        int count = System.Text.Encoding.UTF8.GetBytes(text, bytes);
        return string.Create(count, bytes, static (target, source) =>
        {
            for (int i = 0; i < target.Length; i++)
                target[i] = CharOfByte[source[i]];
        });
    }

    /// <summary>Appends the bytes of a token; a token with any character outside the alphabet gives its own UTF-8.</summary>
    public static void AppendBytes(string token, List<byte> output)
    {
        int start = output.Count;
        foreach (char c in token)
        {
            int value = ToByte(c);
            if (value < 0)
            {
                output.RemoveRange(start, output.Count - start);
                output.AddRange(System.Text.Encoding.UTF8.GetBytes(token));
                return;
            }

            output.Add((byte)value);
        }
    }

    private static char[] BuildChars()
    {
        var chars = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
            chars[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)b : (char)next++;
        return chars;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[256 + 68];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
            bytes[CharOfByte[b]] = (short)b;
        return bytes;
    }
}
