// BertNormalizer: cleans, isolates ideographs, strips accents, lowers.
using System.Globalization;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Normalizers;

internal sealed class BertNormalizer(bool cleansText, bool isolatesIdeographs, bool stripsAccents, bool lowers) : INormalizer
{
    private static readonly UnicodeFormNormalizer Decomposition = new(isCompatibility: false, composes: false);
    private static readonly LowercaseNormalizer Lowercase = new();

    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        if (cleansText)
        {
            piece = TextTransform.Filter(piece, c => !IsRemoved(c), hasPlaces);
            piece = TextTransform.Map(piece, c => UnicodeClasses.IsWhiteSpace(c) ? ' ' : c, hasPlaces);
        }

        if (isolatesIdeographs)
            piece = Isolate(piece, hasPlaces);
        if (stripsAccents)
            piece = TextTransform.Filter(Decomposition.Normalize(piece, hasPlaces), c => !IsAccent(c), hasPlaces);
        return lowers ? Lowercase.Normalize(piece, hasPlaces) : piece;
    }

    private static bool IsAccent(int c) =>
        c >= 0x300 && UnicodeClasses.Category(c) == UnicodeCategory.NonSpacingMark && NormalizationData.IsKnownMark(c);

    /// <summary>NUL, U+FFFD, and the control, format and private-use characters of the library's older table; tab and line ends stay.</summary>
    internal static bool IsRemoved(int c) => c switch
    {
        9 or 10 or 13 => false,
        < 0x20 or (>= 0x7F and <= 0x9F) or 0xAD => true,
        < 0x600 => false,
        (>= 0x600 and <= 0x605) or 0x61C or 0x6DD or 0x70F or 0x180E or (>= 0x200B and <= 0x200F) or (>= 0x202A and <= 0x202E)
            or (>= 0x2060 and <= 0x2064) or (>= 0x2066 and <= 0x206F) or (>= 0xE000 and <= 0xF8FF) or 0xFEFF or (>= 0xFFF9 and <= 0xFFFB) or 0xFFFD
            or 0x110BD or (>= 0x1BCA0 and <= 0x1BCA3) or (>= 0x1D173 and <= 0x1D17A) or 0xE0001 or (>= 0xE0020 and <= 0xE007F)
            or (>= 0xF0000 and <= 0xFFFFD) or (>= 0x100000 and <= 0x10FFFD) => true,
        _ => false,
    };

    private static TextPiece Isolate(TextPiece piece, bool hasPlaces)
    {
        List<TransformedChar> characters = new(piece.Length);
        bool hasIdeographs = false;
        foreach (System.Text.Rune rune in piece.Span.EnumerateRunes())
        {
            if (!UnicodeClasses.IsBertIdeograph(rune.Value))
            {
                characters.Add(new TransformedChar(rune.Value, 0));
                continue;
            }

            hasIdeographs = true;
            characters.Add(new TransformedChar(' ', 0));
            characters.Add(new TransformedChar(rune.Value, 1));
            characters.Add(new TransformedChar(' ', 1));
        }

        return hasIdeographs ? TextTransform.Apply(piece, characters, hasPlaces) : piece;
    }
}
