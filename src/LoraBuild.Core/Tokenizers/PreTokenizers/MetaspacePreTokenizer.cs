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

        // A mark belongs to what follows it, so every mark begins a part.
        ReadOnlySpan<char> text = piece.Span;
        int start = 0;
        while (text[(start + 1)..].IndexOf(replacement, StringComparison.Ordinal) is >= 0 and int at)
        {
            output.Add(piece.Slice(start, at + 1));
            start += at + 1;
        }

        output.Add(piece.Slice(start, text.Length - start));
    }

    private TextPiece Mark(TextPiece piece, bool hasPlaces)
    {
        ReadOnlySpan<char> text = piece.Span;
        bool hasMark = text[0] == ' ' || text.StartsWith(replacement, StringComparison.Ordinal);
        bool prepends = !hasMark && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && piece.IsAtTextStart));
        AlignedTextBuilder builder = new(piece, hasPlaces);
        if (prepends)
            Append(builder, 0);
        int done = 0;
        while (text[done..].IndexOf(' ') is >= 0 and int at)
        {
            builder.AppendSource(done, at);
            Append(builder, done + at);
            done += at + 1;
        }

        builder.AppendSource(done, text.Length - done);
        return builder.ToPiece();
    }

    private void Append(AlignedTextBuilder builder, int sourceUnit)
    {
        foreach (char c in replacement)
            builder.Append(c, sourceUnit);
    }
}
