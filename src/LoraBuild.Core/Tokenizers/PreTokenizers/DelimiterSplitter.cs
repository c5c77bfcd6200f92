// Cuts a text at the matches of something, with the five ways of treating the matches.
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers.PreTokenizers;

internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>A stretch of text that matched, or that lies between matches.</summary>
internal readonly record struct MatchSpan(int Start, int End, bool IsMatch);

internal static class DelimiterSplitter
{
    /// <summary>The matches of a pattern and what lies between them; empty matches are kept.</summary>
    public static void FindRegex(OnigRegex regex, ReadOnlySpan<char> text, RegexScratch scratch, List<MatchSpan> output)
    {
        RegexMatcher matcher = new(regex, text, scratch);
        int done = 0;
        while (matcher.TryNext(out int start, out int end))
        {
            if (start > done)
                output.Add(new MatchSpan(done, start, false));
            output.Add(new MatchSpan(start, end, true));
            done = end;
        }

        if (done < text.Length)
            output.Add(new MatchSpan(done, text.Length, false));
    }

    /// <summary>The occurrences of a string and what lies between them.</summary>
    public static void FindString(string delimiter, ReadOnlySpan<char> text, List<MatchSpan> output)
    {
        int done = 0;
        while (delimiter.Length > 0 && text[done..].IndexOf(delimiter, StringComparison.Ordinal) is >= 0 and int at)
        {
            if (at > 0)
                output.Add(new MatchSpan(done, done + at, false));
            output.Add(new MatchSpan(done + at, done + at + delimiter.Length, true));
            done += at + delimiter.Length;
        }

        if (done < text.Length)
            output.Add(new MatchSpan(done, text.Length, false));
    }

    /// <summary>The code points that fulfil a condition, each a match of its own, and what lies between them.</summary>
    public static void FindCodePoints(Func<int, bool> condition, ReadOnlySpan<char> text, List<MatchSpan> output)
    {
        int done = 0;
        for (int i = 0; i < text.Length;)
        {
            int c = Unicode.UnicodeClasses.CodePointAt(text, i, out int units);
            if (condition(c))
            {
                if (i > done)
                    output.Add(new MatchSpan(done, i, false));
                output.Add(new MatchSpan(i, i + units, true));
                done = i + units;
            }

            i += units;
        }

        if (done < text.Length)
            output.Add(new MatchSpan(done, text.Length, false));
    }

    /// <summary>Applies the behaviour and appends the parts that are not empty.</summary>
    public static void Cut(TextPiece piece, List<MatchSpan> spans, SplitBehavior behavior, bool isInverted, List<TextPiece> output)
    {
        List<(int Start, int End)> parts = new(spans.Count);
        bool previousIsMatch = false;
        switch (behavior)
        {
            case SplitBehavior.Isolated:
            case SplitBehavior.Removed:
                foreach (MatchSpan span in spans)
                {
                    if (behavior == SplitBehavior.Isolated || span.IsMatch == isInverted)
                        parts.Add((span.Start, span.End));
                }

                break;
            case SplitBehavior.Contiguous:
                foreach (MatchSpan span in spans)
                {
                    bool isMatch = span.IsMatch != isInverted;
                    if (isMatch == previousIsMatch && parts.Count > 0)
                        parts[^1] = (parts[^1].Start, span.End);
                    else
                        parts.Add((span.Start, span.End));
                    previousIsMatch = isMatch;
                }

                break;
            case SplitBehavior.MergedWithPrevious:
                foreach (MatchSpan span in spans)
                {
                    bool isMatch = span.IsMatch != isInverted;
                    if (isMatch && !previousIsMatch && parts.Count > 0)
                        parts[^1] = (parts[^1].Start, span.End);
                    else
                        parts.Add((span.Start, span.End));
                    previousIsMatch = isMatch;
                }

                break;
            default:
                for (int i = spans.Count - 1; i >= 0; i--)
                {
                    bool isMatch = spans[i].IsMatch != isInverted;
                    if (isMatch && !previousIsMatch && parts.Count > 0)
                        parts[^1] = (spans[i].Start, parts[^1].End);
                    else
                        parts.Add((spans[i].Start, spans[i].End));
                    previousIsMatch = isMatch;
                }

                parts.Reverse();
                break;
        }

        foreach ((int start, int end) in parts)
        {
            if (end > start)
                output.Add(piece.Slice(start, end - start));
        }
    }
}
