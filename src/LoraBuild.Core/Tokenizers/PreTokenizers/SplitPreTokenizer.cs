// Split: cuts at a pattern or a string.
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers.PreTokenizers;

/// <summary>Exactly one of <paramref name="regex"/> and <paramref name="delimiter"/> is given.</summary>
internal sealed class SplitPreTokenizer(OnigRegex? regex, string? delimiter, SplitBehavior behavior, bool isInverted) : IPreTokenizer
{
    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output)
    {
        if (regex is not null && behavior == SplitBehavior.Isolated)
        {
            Isolate(regex, piece, context.Regex, output);
            return;
        }

        List<MatchSpan> spans = [];
        if (regex is not null)
            DelimiterSplitter.FindRegex(regex, piece.Span, context.Regex, spans);
        else
            DelimiterSplitter.FindString(delimiter!, piece.Span, spans);
        DelimiterSplitter.Cut(piece, spans, behavior, isInverted, output);
    }

    /// <summary>The common case without the list of spans: matches and what lies between them are parts alike.</summary>
    internal static void Isolate(OnigRegex regex, TextPiece piece, RegexScratch scratch, List<TextPiece> output)
    {
        RegexMatcher matcher = new(regex, piece.Span, scratch);
        int done = 0;
        while (matcher.TryNext(out int start, out int end))
        {
            if (start > done)
                output.Add(piece.Slice(done, start - done));
            if (end > start)
                output.Add(piece.Slice(start, end - start));
            done = end;
        }

        if (done < piece.Length)
            output.Add(piece.Slice(done, piece.Length - done));
    }
}
