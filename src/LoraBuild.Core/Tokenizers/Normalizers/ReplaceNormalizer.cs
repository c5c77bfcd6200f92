// Replace: every match of a string or pattern gives way to a text, which is taken literally.
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers.Normalizers;

/// <summary>Exactly one of <paramref name="regex"/> and <paramref name="delimiter"/> is given. The new text shares the place of the match's last character.</summary>
internal sealed class ReplaceNormalizer(OnigRegex? regex, string? delimiter, string content) : INormalizer
{
    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        if (regex is null)
            return ReplaceString(piece, delimiter!, hasPlaces);
        List<MatchSpan> spans = [];
        DelimiterSplitter.FindRegex(regex, piece.Span, new RegexScratch(), spans);
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

    private TextPiece ReplaceString(TextPiece piece, string old, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        if (!text.Contains(old, StringComparison.Ordinal))
            return piece;
        if (!hasPlaces)
        {
            string replaced = text.ToString().Replace(old, content, StringComparison.Ordinal);
            return new TextPiece(new AlignedText(replaced, Origin: piece.Text.OriginOf(piece.Start)), 0, replaced.Length);
        }

        AlignedTextBuilder builder = new(piece, hasPlaces);
        int done = 0;
        while (old.Length > 0 && text[done..].IndexOf(old, StringComparison.Ordinal) is >= 0 and int at)
        {
            builder.AppendSource(done, at);
            done += at + old.Length;
            foreach (char c in content)
                builder.Append(c, done - 1);
        }

        builder.AppendSource(done, text.Length - done);
        return builder.ToPiece();
    }
}
