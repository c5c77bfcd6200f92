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

    /// <summary>Characters that the map leaves alone, and that are a grapheme each when another of them follows.</summary>
    private readonly System.Buffers.SearchValues<char> plain;

    private PrecompiledNormalizer(uint[] trie, byte[] replacements)
    {
        this.trie = trie;
        this.replacements = replacements;
        plain = System.Buffers.SearchValues.Create([.. Standalone().Where(c => Find([c]) is null)]);
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

    /// <summary>ASCII, Latin letters, Kana, CJK and Hangul syllables: none of them joins another of them in one grapheme.</summary>
    private static IEnumerable<char> Standalone()
    {
        foreach ((int first, int last) in ((int, int)[])[(0x20, 0x7E), (0xC0, 0x24F), (0x400, 0x481), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)])
        {
            for (int c = first; c <= last; c++)
                yield return (char)c;
        }
    }

    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        AlignedTextBuilder? builder = null;
        // What becomes of the neighbouring graphemes from `first` to `done`: a removal may concern what an earlier one of them became.
        List<TransformedChar> characters = [];
        int first = 0;
        int done = 0;
        int at = 0;
        while (text[at..].IndexOfAnyExcept(plain) is >= 0 and int run)
        {
            // The last of the plain ones may belong to what follows.
            int start = at + Math.Max(0, run - 1);
            at = start + StringInfo.GetNextTextElementLength(text[start..]);
            if (start > done && characters.Count > 0)
            {
                TextTransform.Append(builder!, text[..done], first, characters);
                characters.Clear();
            }

            int kept = characters.Count;
            if (!Transform(text[start..at], characters, out int removed))
            {
                characters.RemoveRange(kept, characters.Count - kept);
                continue;
            }

            builder ??= new AlignedTextBuilder(piece, hasPlaces);
            if (start > done)
            {
                builder.AppendSource(done, start - done);
                first = start;
            }

            if (removed > 0 && builder.Length == 0)
                return NormalizeAtOnce(piece, hasPlaces);
            for (; removed > 0; removed--)
            {
                UnicodeClasses.CodePointAt(text, first, out int units);
                first += units;
            }

            done = at;
        }

        if (builder is null)
            return piece;
        TextTransform.Append(builder, text[..done], first, characters);
        builder.AppendSource(done, text.Length - done);
        return builder.ToPiece();
    }

    /// <summary>As the library does it: there what is removed before the first character that stays is not counted, so that all later places are shifted.</summary>
    private TextPiece NormalizeAtOnce(TextPiece piece, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        List<TransformedChar> characters = new(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int length = StringInfo.GetNextTextElementLength(text[at..]);
            Transform(text.Slice(at, length), characters, out _);
            at += length;
        }

        return TextTransform.Apply(piece, characters, hasPlaces);
    }

    /// <summary>Adds what becomes of one grapheme; false where it stays as it is.</summary>
    /// <param name="removed">Old characters that were removed while <paramref name="characters"/> was empty.</param>
    private bool Transform(ReadOnlySpan<char> grapheme, List<TransformedChar> characters, out int removed)
    {
        removed = 0;
        if (System.Text.Encoding.UTF8.GetByteCount(grapheme) < LongestWholeGrapheme && Find(grapheme) is { } whole)
        {
            removed = Replace(grapheme, whole, characters);
            return true;
        }

        bool isChanged = false;
        for (int i = 0; i < grapheme.Length;)
        {
            int c = UnicodeClasses.CodePointAt(grapheme, i, out int units);
            if (Find(grapheme.Slice(i, units)) is { } single)
            {
                isChanged = true;
                removed += Replace(grapheme.Slice(i, units), single, characters);
            }
            else
                characters.Add(new TransformedChar(c, 0));
            i += units;
        }

        return isChanged;
    }

    /// <summary>New characters beyond the old count are insertions; old ones beyond the new count go with the last new one. Returns how many there was no new one for.</summary>
    private static int Replace(ReadOnlySpan<char> old, string replacement, List<TransformedChar> characters)
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
        if (removed <= 0)
            return 0;
        if (characters.Count == 0)
            return removed;
        characters[^1] = characters[^1] with { Change = characters[^1].Change - removed };
        return 0;
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
