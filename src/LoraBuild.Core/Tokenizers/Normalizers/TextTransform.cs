// Applies a rewriting that is given as a list of new characters with what each does to the old ones.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Normalizers;

/// <param name="Change">0: takes the place of the next old character; 1: is inserted; −n: takes the place of the next and removes n more.</param>
internal readonly record struct TransformedChar(int CodePoint, int Change);

internal static class TextTransform
{
    /// <summary>The rewritten piece with the places that the reference library gives: an inserted character shares the place of the last old character before it.</summary>
    /// <param name="removedAtStart">Old characters that go away before the first new one.</param>
    public static TextPiece Apply(TextPiece piece, List<TransformedChar> characters, bool hasPlaces, int removedAtStart = 0)
    {
        AlignedTextBuilder builder = new(piece, hasPlaces);
        ReadOnlySpan<char> old = piece.Span;
        int at = 0;
        for (int i = 0; i < removedAtStart; i++)
            at += Units(old, at);
        Append(builder, old, at, characters);
        return builder.ToPiece();
    }

    /// <summary>Appends the rewriting of the part of the old text that begins at a unit.</summary>
    public static void Append(AlignedTextBuilder builder, ReadOnlySpan<char> old, int at, List<TransformedChar> characters)
    {
        foreach ((int codePoint, int change) in characters)
        {
            if (change > 0)
            {
                builder.AppendCodePoint(codePoint, at - 1);
                continue;
            }

            builder.AppendCodePoint(codePoint, Math.Min(at, old.Length - 1));
            for (int i = 0; i <= -change; i++)
                at += Units(old, at);
        }
    }

    /// <summary>Keeps the characters that fulfil a condition.</summary>
    public static TextPiece Filter(TextPiece piece, Func<int, bool> keeps, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        AlignedTextBuilder? builder = null;
        for (int i = 0; i < text.Length;)
        {
            int c = UnicodeClasses.CodePointAt(text, i, out int units);
            bool isKept = keeps(c);
            if (!isKept && builder is null)
            {
                builder = new AlignedTextBuilder(piece, hasPlaces);
                builder.AppendSource(0, i);
            }
            else if (isKept)
                builder?.AppendSource(i, units);
            i += units;
        }

        return builder?.ToPiece() ?? piece;
    }

    /// <summary>Replaces characters one by one.</summary>
    public static TextPiece Map(TextPiece piece, Func<int, int> map, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        AlignedTextBuilder? builder = null;
        for (int i = 0; i < text.Length;)
        {
            int c = UnicodeClasses.CodePointAt(text, i, out int units);
            int mapped = map(c);
            if (mapped != c && builder is null)
            {
                builder = new AlignedTextBuilder(piece, hasPlaces);
                builder.AppendSource(0, i);
            }

            builder?.AppendCodePoint(mapped, i);
            i += units;
        }

        return builder?.ToPiece() ?? piece;
    }

    private static int Units(ReadOnlySpan<char> text, int at)
    {
        if (at >= text.Length)
            return 0;
        UnicodeClasses.CodePointAt(text, at, out int units);
        return units;
    }
}
