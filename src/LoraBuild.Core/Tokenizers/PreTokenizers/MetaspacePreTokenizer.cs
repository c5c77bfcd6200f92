// Metaspace: spaces become a visible mark, which also begins the text.
namespace LoraBuild.Core.Tokenizers.PreTokenizers;

internal enum PrependScheme
{
    Always,
    Never,
    First,
}

/// <param name="replacement">One code point, mostly U+2581.</param>
/// <param name="splits">Cut before every mark.</param>
internal sealed class MetaspacePreTokenizer(string replacement, PrependScheme scheme, bool splits) : IPreTokenizer
{
    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output)
    {
        if (piece.Length == 0)
            return;
        piece = Mark(piece, context.HasPlaces);
        if (!splits)
        {
            output.Add(piece);
            return;
        }

        List<MatchSpan> spans = [];
        DelimiterSplitter.FindString(replacement, piece.Span, spans);
        DelimiterSplitter.Cut(piece, spans, SplitBehavior.MergedWithNext, isInverted: false, output);
    }

    private TextPiece Mark(TextPiece piece, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        bool hasMark = text[0] == ' ' || text.StartsWith(replacement, StringComparison.Ordinal);
        bool prepends = !hasMark && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && piece.IsAtTextStart));
        AlignedTextBuilder builder = new(piece, hasPlaces);
        if (prepends)
            Append(builder, 0);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == ' ')
                Append(builder, i);
            else
                builder.AppendSource(i, 1);
        }

        return builder.ToPiece();
    }

    private void Append(AlignedTextBuilder builder, int sourceUnit)
    {
        foreach (char c in replacement)
            builder.Append(c, sourceUnit);
    }
}
