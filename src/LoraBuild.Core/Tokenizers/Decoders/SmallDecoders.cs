// Fuse, Strip and Replace: the small steps that SentencePiece-style decoders are made of.
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers.Decoders;

/// <summary>Fuse: all strings become one.</summary>
internal sealed class FuseDecoder : IDecoder
{
    public List<string> Decode(List<string> tokens) => [string.Concat(tokens)];
}

/// <summary>Strip: takes up to so many of one character from each string's start and end.</summary>
internal sealed class StripDecoder(string content, int start, int stop) : IDecoder
{
    public List<string> Decode(List<string> tokens) => tokens.ConvertAll(Strip);

    private string Strip(string token)
    {
        int from = 0;
        for (int i = 0; i < start && string.CompareOrdinal(token, from, content, 0, content.Length) == 0; i++)
            from += content.Length;
        int to = token.Length;
        for (int i = 0; i < stop && to - content.Length >= from && string.CompareOrdinal(token, to - content.Length, content, 0, content.Length) == 0; i++)
            to -= content.Length;
        return token[from..to];
    }
}

/// <summary>Replace: every match in each string gives way to the content, which is taken literally.</summary>
internal sealed class ReplaceDecoder(OnigRegex? regex, string? delimiter, string content) : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        RegexScratch scratch = new();
        return tokens.ConvertAll(token => regex is null ? token.Replace(delimiter!, content, StringComparison.Ordinal) : Replace(token, regex, scratch));
    }

    private string Replace(string token, OnigRegex pattern, RegexScratch scratch)
    {
        List<MatchSpan> spans = [];
        DelimiterSplitter.FindRegex(pattern, token, scratch, spans);
        System.Text.StringBuilder text = new(token.Length);
        foreach (MatchSpan span in spans)
            text.Append(span.IsMatch ? content : token.AsSpan(span.Start, span.End - span.Start));
        return text.ToString();
    }
}
