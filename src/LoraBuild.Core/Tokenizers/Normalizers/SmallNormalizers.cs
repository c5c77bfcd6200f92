// Lowercase, StripAccents, Strip, Prepend, Nmt and ByteLevel: the normalizers that fit in a few lines each.
using System.Text;
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Normalizers;

/// <summary>Lowercase: character by character, as Rust's <c>char::to_lowercase</c> (no final sigma).</summary>
internal sealed class LowercaseNormalizer : INormalizer
{
    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        if (piece.Span.Contains('\u0130'))
            return NormalizeExpanding(piece, hasPlaces);
        return TextTransform.Map(piece, ToLower, hasPlaces);
    }

    /// <summary>U+0130 (İ) is the only character that becomes two.</summary>
    private static TextPiece NormalizeExpanding(TextPiece piece, bool hasPlaces)
    {
        List<TransformedChar> characters = new(piece.Length + 4);
        foreach (Rune rune in piece.Span.EnumerateRunes())
        {
            characters.Add(new TransformedChar(rune.Value == 0x130 ? 'i' : ToLower(rune.Value), 0));
            if (rune.Value == 0x130)
                characters.Add(new TransformedChar(0x307, 1));
        }

        return TextTransform.Apply(piece, characters, hasPlaces);
    }

    internal static int ToLower(int c) => c switch
    {
        < 0x80 => c is >= 'A' and <= 'Z' ? c | 0x20 : c,
        // Letters of Unicode 17, which the reference knows and this runtime does not.
        0xA7CE or 0xA7D2 or 0xA7D4 => c + 1,
        >= 0x16EA0 and <= 0x16EB8 => c + 0x1B,
        _ => Rune.ToLowerInvariant(new Rune(c)).Value,
    };
}

/// <summary>StripAccents: takes out all marks (after NFD or NFKD, which separate them).</summary>
internal sealed class StripAccentsNormalizer : INormalizer
{
    public TextPiece Normalize(TextPiece piece, bool hasPlaces) => TextTransform.Filter(piece, c => !NormalizationData.IsKnownMark(c), hasPlaces);
}

/// <summary>Strip: whitespace at the ends of the piece goes.</summary>
internal sealed class StripNormalizer(bool stripsLeft, bool stripsRight) : INormalizer
{
    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        int start = 0;
        int end = text.Length;
        while (stripsLeft && start < end && UnicodeClasses.IsWhiteSpace(text[start]))
            start++;
        while (stripsRight && end > start && UnicodeClasses.IsWhiteSpace(text[end - 1]))
            end--;
        return piece.Slice(start, end - start);
    }
}

/// <summary>Prepend: a text before every piece that is not empty; it shares the first character's place.</summary>
internal sealed class PrependNormalizer(string content) : INormalizer
{
    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        if (piece.Length == 0)
            return piece;
        AlignedTextBuilder builder = new(piece, hasPlaces);
        foreach (char c in content)
            builder.Append(c, 0);
        builder.AppendSource(0, piece.Length);
        return builder.ToPiece();
    }
}

/// <summary>Nmt: control characters go, unusual spaces become spaces (SentencePiece's <c>nmt</c> rules).</summary>
internal sealed class NmtNormalizer : INormalizer
{
    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        TextPiece kept = TextTransform.Filter(piece, c => c is not ((>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or 0x8F or 0x9F), hasPlaces);
        return TextTransform.Map(kept, c => c is 9 or 0xA or 0xC or 0xD or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD ? ' ' : c, hasPlaces);
    }
}

/// <summary>ByteLevel: the stand-ins of the text's bytes.</summary>
internal sealed class ByteLevelNormalizer : INormalizer
{
    public TextPiece Normalize(TextPiece piece, bool hasPlaces) => ByteLevelPreTokenizer.ToBytes(piece, hasPlaces);
}
