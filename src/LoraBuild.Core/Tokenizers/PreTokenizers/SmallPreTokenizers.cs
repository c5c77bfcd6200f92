// Whitespace, WhitespaceSplit, Punctuation, BertPreTokenizer, CharDelimiterSplit and FixedLength: cuts at single characters.
using LoraBuild.Core.Tokenizers.Regex;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.PreTokenizers;

/// <summary>Cuts at every code point that fulfils a condition.</summary>
internal sealed class CodePointPreTokenizer(Func<int, bool> condition, SplitBehavior behavior) : IPreTokenizer
{
    public static CodePointPreTokenizer AtWhitespace() => new(UnicodeClasses.IsWhiteSpace, SplitBehavior.Removed);

    public static CodePointPreTokenizer AtPunctuation(SplitBehavior behavior) => new(UnicodeClasses.IsPunctuation, behavior);

    public static CodePointPreTokenizer AtDelimiter(int delimiter) => new(c => c == delimiter, SplitBehavior.Removed);

    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output)
    {
        List<MatchSpan> spans = [];
        DelimiterSplitter.FindCodePoints(condition, piece.Span, spans);
        DelimiterSplitter.Cut(piece, spans, behavior, isInverted: false, output);
    }
}

/// <summary>Whitespace: keeps runs of word characters (with the joiners, as Rust's regex has them) and runs of other visible characters.</summary>
internal sealed class WhitespacePreTokenizer : IPreTokenizer
{
    private static readonly OnigRegex Words = OnigRegex.Parse(@"[\w\u200C\u200D]+|[^\w\s\u200C\u200D]+");

    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output)
    {
        List<MatchSpan> spans = [];
        DelimiterSplitter.FindRegex(Words, piece.Span, context.Regex, spans);
        DelimiterSplitter.Cut(piece, spans, SplitBehavior.Removed, isInverted: true, output);
    }
}

/// <summary>BertPreTokenizer: whitespace goes, each punctuation character stands alone.</summary>
internal sealed class BertPreTokenizer : IPreTokenizer
{
    private static readonly SequencePreTokenizer Steps = new([CodePointPreTokenizer.AtWhitespace(), CodePointPreTokenizer.AtPunctuation(SplitBehavior.Isolated)]);

    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output) => Steps.Split(piece, context, output);
}

/// <summary>FixedLength: pieces of so many characters.</summary>
internal sealed class FixedLengthPreTokenizer(int length) : IPreTokenizer
{
    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output)
    {
        ReadOnlySpan<char> text = piece.Span;
        int start = 0;
        int count = 0;
        for (int i = 0; i < text.Length;)
        {
            UnicodeClasses.CodePointAt(text, i, out int units);
            i += units;
            if (++count % length != 0 && i < text.Length)
                continue;
            output.Add(piece.Slice(start, i - start));
            start = i;
        }
    }
}
