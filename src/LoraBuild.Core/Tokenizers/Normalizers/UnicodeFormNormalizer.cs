// NFC, NFD, NFKC, NFKD (Unicode Standard Annex #15).
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Normalizers;

internal sealed class UnicodeFormNormalizer(bool isCompatibility, bool composes) : INormalizer
{
    // Hangul syllables, Unicode Standard §3.12.
    private const int SBase = 0xAC00;
    private const int LBase = 0x1100;
    private const int VBase = 0x1161;
    private const int TBase = 0x11A7;
    private const int LCount = 19;
    private const int VCount = 21;
    private const int TCount = 28;
    private const int SCount = LCount * VCount * TCount;

    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        if (composes && !isCompatibility)
            return ComposeLocally(piece, hasPlaces);
        // Below these characters nothing decomposes.
        if (piece.Span.IndexOfAnyExceptInRange('\0', isCompatibility ? '\u009F' : '\u00BF') < 0)
            return piece;
        List<TransformedChar> characters = Decompose(piece.Span);
        return TextTransform.Apply(piece, composes ? Compose(characters) : characters, hasPlaces);
    }

    /// <summary>NFC of mostly composed text: only the runs of characters that may change are worked on, each with the character before it, to which a mark may belong.</summary>
    private TextPiece ComposeLocally(TextPiece piece, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        AlignedTextBuilder? builder = null;
        int done = 0;
        while (text[done..].IndexOfAnyExcept(QuickCheck) is >= 0 and int found)
        {
            int start = Math.Max(done, done + found - 1);
            int length = text[(done + found)..].IndexOfAny(QuickCheck);
            int end = length < 0 ? text.Length : done + found + length;
            builder ??= new AlignedTextBuilder(piece, hasPlaces);
            builder.AppendSource(done, start - done);
            TextTransform.Append(builder, text[..end], start, Compose(Decompose(text[start..end])));
            done = end;
        }

        if (builder is null)
            return piece;
        builder.AppendSource(done, text.Length - done);
        return builder.ToPiece();
    }

    /// <summary>Characters that NFC leaves alone whatever stands beside them: the Latin, Hangul and CJK that most text is made of.</summary>
    private static readonly System.Buffers.SearchValues<char> QuickCheck = System.Buffers.SearchValues.Create([
        .. Range(0, 0x2FF), .. Range(0x400, 0x482), .. Range(0x48A, 0x52F), .. Range(0x2010, 0x2027), .. Range(0x2030, 0x205E),
        .. Range(0x3000, 0x3029), .. Range(0x3040, 0x3098), .. Range(0x309B, 0x30FF), .. Range(0x3400, 0x4DBF), .. Range(0x4E00, 0x9FFF), .. Range(0xAC00, 0xD7A3), .. Range(0xFF00, 0xFFEF)]);

    private static IEnumerable<char> Range(int first, int last) => Enumerable.Range(first, last - first + 1).Select(c => (char)c);

    private List<TransformedChar> Decompose(ReadOnlySpan<char> text)
    {
        List<TransformedChar> output = new(text.Length + 16);
        int firstUnordered = 0;
        for (int i = 0; i < text.Length;)
        {
            int c = UnicodeClasses.CodePointAt(text, i, out int units);
            i += units;
            bool isFirst = true;
            Append(c, output, ref isFirst, ref firstUnordered);
        }

        Order(output, firstUnordered, output.Count);
        return output;
    }

    private void Append(int c, List<TransformedChar> output, ref bool isFirst, ref int firstUnordered)
    {
        if (c is >= SBase and < SBase + SCount)
        {
            int s = c - SBase;
            Emit(LBase + (s / (VCount * TCount)), output, ref isFirst, ref firstUnordered);
            Emit(VBase + (s % (VCount * TCount) / TCount), output, ref isFirst, ref firstUnordered);
            if (s % TCount != 0)
                Emit(TBase + (s % TCount), output, ref isFirst, ref firstUnordered);
            return;
        }

        int[]? parts = c < 0xA0 ? null : NormalizationData.Decomposition(c, isCompatibility);
        if (parts is null)
        {
            Emit(c, output, ref isFirst, ref firstUnordered);
            return;
        }

        foreach (int part in parts)
            Append(part, output, ref isFirst, ref firstUnordered);
    }

    private static void Emit(int c, List<TransformedChar> output, ref bool isFirst, ref int firstUnordered)
    {
        if (NormalizationData.CombiningClass(c) == 0)
        {
            Order(output, firstUnordered, output.Count);
            firstUnordered = output.Count + 1;
        }

        output.Add(new TransformedChar(c, isFirst ? 0 : 1));
        isFirst = false;
    }

    /// <summary>Canonical ordering of the marks in [from, to): a stable sort by combining class.</summary>
    private static void Order(List<TransformedChar> characters, int from, int to)
    {
        if (to - from < 2)
            return;
        TransformedChar[] sorted = [.. characters.GetRange(from, to - from).OrderBy(c => NormalizationData.CombiningClass(c.CodePoint))];
        for (int i = 0; i < sorted.Length; i++)
            characters[from + i] = sorted[i];
    }

    /// <summary>Canonical composition. A composite takes over the changes of both of its parts.</summary>
    private static List<TransformedChar> Compose(List<TransformedChar> characters)
    {
        List<TransformedChar> output = new(characters.Count);
        int starter = -1;
        int lastClass = -1;
        foreach (TransformedChar character in characters)
        {
            int ccc = NormalizationData.CombiningClass(character.CodePoint);
            bool isBlocked = lastClass >= 0 && (lastClass == 0 || lastClass >= ccc);
            if (starter >= 0 && !isBlocked)
            {
                int composite = ComposePair(output[starter].CodePoint, character.CodePoint);
                if (composite >= 0)
                {
                    output[starter] = new TransformedChar(composite, output[starter].Change + character.Change - 1);
                    continue;
                }
            }

            if (ccc == 0)
            {
                starter = output.Count;
                lastClass = -1;
            }
            else
                lastClass = ccc;
            output.Add(character);
        }

        return output;
    }

    private static int ComposePair(int first, int second)
    {
        if (first is >= LBase and < LBase + LCount && second is >= VBase and < VBase + VCount)
            return SBase + ((((first - LBase) * VCount) + (second - VBase)) * TCount);
        if (first is >= SBase and < SBase + SCount && (first - SBase) % TCount == 0 && second is > TBase and < TBase + TCount)
            return first + (second - TBase);
        return NormalizationData.Compose(first, second);
    }
}
