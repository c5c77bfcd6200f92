// Replace: every match of a string or pattern gives way to a text, which is taken literally.
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers.Normalizers;

/// <summary>Exactly one of <paramref name="regex"/> and <paramref name="delimiter"/> is given. The new text shares the place of the match's last character.</summary>
internal sealed class ReplaceNormalizer(OnigRegex? regex, string? delimiter, string content) : INormalizer
{
    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        List<MatchSpan> spans = [];
        if (regex is not null)
            DelimiterSplitter.FindRegex(regex, text, new RegexScratch(), spans);
        else if (!text.Contains(delimiter, StringComparison.Ordinal))
            return piece;
        else if (!hasPlaces)
            return WithoutPlaces(piece);
        else
            DelimiterSplitter.FindString(delimiter!, text, spans);
        AlignedTextBuilder builder = new(piece, hasPlaces);
        foreach (MatchSpan span in spans)
        {
            if (!span.IsMatch)
            {
                builder.AppendSource(span.Start, span.End - span.Start);
                continue;
            }

            foreach (char c in content)
                builder.Append(c, span.End - 1);
        }

        return builder.ToPiece();
    }

    private TextPiece WithoutPlaces(TextPiece piece)
    {
        string replaced = piece.Span.ToString().Replace(delimiter!, content, StringComparison.Ordinal);
        return new TextPiece(new AlignedText(replaced, Origin: piece.Text.OriginOf(piece.Start)), 0, replaced.Length);
    }
}
