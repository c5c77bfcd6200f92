// Precompiled: SentencePiece's character map, a double-array trie of byte strings with their replacements.
using System.Buffers.Binary;
using System.Globalization;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Normalizers;

/// <summary>
/// Works as Hugging Face's library does, not as SentencePiece: grapheme by grapheme, short ones looked up whole and then character by
/// character; a look-up takes the shortest key that is a prefix, and its replacement stands for everything that was looked up.
/// </summary>
internal sealed class PrecompiledNormalizer : INormalizer
{
    private const int LongestWholeGrapheme = 6; // bytes, exclusive

    private readonly uint[] trie;
    private readonly byte[] replacements;

    private PrecompiledNormalizer(uint[] trie, byte[] replacements)
    {
        this.trie = trie;
        this.replacements = replacements;
    }

    /// <summary>Reads the blob: the trie's length in bytes (uint32 little-endian), the trie, then zero-terminated replacements. Null where it is damaged.</summary>
    public static PrecompiledNormalizer? Read(ReadOnlySpan<byte> blob)
    {
        if (blob.Length < 4)
            return null;
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(blob);
        if (size % 4 != 0 || size > blob.Length - 4)
            return null;
        var units = new uint[size / 4];
        for (int i = 0; i < units.Length; i++)
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + (i * 4))..]);
        return new PrecompiledNormalizer(units, blob[(4 + (int)size)..].ToArray());
    }

    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        List<TransformedChar> characters = new(text.Length);
        bool isChanged = false;
        for (int at = 0; at < text.Length;)
        {
            int length = StringInfo.GetNextTextElementLength(text[at..]);
            ReadOnlySpan<char> grapheme = text.Slice(at, length);
            at += length;
            if (System.Text.Encoding.UTF8.GetByteCount(grapheme) < LongestWholeGrapheme && Find(grapheme) is { } whole)
            {
                isChanged = true;
                Replace(grapheme, whole, characters);
                continue;
            }

            for (int i = 0; i < grapheme.Length;)
            {
                int c = UnicodeClasses.CodePointAt(grapheme, i, out int units);
                if (Find(grapheme.Slice(i, units)) is { } single)
                {
                    isChanged = true;
                    Replace(grapheme.Slice(i, units), single, characters);
                }
                else
                    characters.Add(new TransformedChar(c, 0));
                i += units;
            }
        }

        return isChanged ? TextTransform.Apply(piece, characters, hasPlaces) : piece;
    }

    /// <summary>New characters beyond the old count are insertions; old ones beyond the new count go with the last new one.</summary>
    private static void Replace(ReadOnlySpan<char> old, string replacement, List<TransformedChar> characters)
    {
        int oldCount = 0;
        foreach (System.Text.Rune _ in old.EnumerateRunes())
            oldCount++;
        int newCount = 0;
        foreach (System.Text.Rune rune in replacement.EnumerateRunes())
        {
            characters.Add(new TransformedChar(rune.Value, newCount >= oldCount ? 1 : 0));
            newCount++;
        }

        int removed = oldCount - newCount;
        if (removed > 0 && characters.Count > 0)
            characters[^1] = characters[^1] with { Change = characters[^1].Change - removed };
    }

    /// <summary>The replacement of the shortest key that the chunk begins with.</summary>
    private string? Find(ReadOnlySpan<char> chunk)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (trie.Length == 0 || !System.Text.Encoding.UTF8.TryGetBytes(chunk, bytes, out int count))
            return null;
        // Darts-clone double array: bits 0–7 label, 8 has-leaf, 9 wide offset, 10–30 offset, 31 leaf.
        uint node = Offset(trie[0]);
        foreach (byte b in bytes[..count])
        {
            if (b == 0)
                return null;
            node ^= b;
            if (node >= trie.Length)
                return null;
            uint unit = trie[node];
            if ((unit & 0x800000FF) != b)
                return null;
            node ^= Offset(unit);
            if (((unit >> 8) & 1) == 1)
                return node < trie.Length ? ReplacementAt((int)(trie[node] & 0x7FFFFFFF)) : null;
        }

        return null;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);

    private string? ReplacementAt(int start)
    {
        if (start >= replacements.Length)
            return null;
        int length = replacements.AsSpan(start).IndexOf((byte)0);
        return System.Text.Encoding.UTF8.GetString(replacements.AsSpan(start, length < 0 ? replacements.Length - start : length));
    }
}
