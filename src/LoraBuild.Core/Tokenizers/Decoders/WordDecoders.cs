// WordPiece, BPEDecoder, Metaspace and CTC: decoders that put words back together.
namespace LoraBuild.Core.Tokenizers.Decoders;

/// <summary>WordPiece: a continuing piece joins the one before, others get a space; clean-up takes out the spaces that English punctuation does not have.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleansUp) : IDecoder
{
    private static readonly (string From, string To)[] CleanUps =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    public List<string> Decode(List<string> tokens)
    {
        List<string> output = new(tokens.Count);
        for (int i = 0; i < tokens.Count; i++)
        {
            string token = tokens[i];
            if (i > 0)
                token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
            output.Add(cleansUp ? CleanUp(token) : token);
        }

        return output;
    }

    /// <summary>transformers' own clean-up of a whole text: the same list without "do not".</summary>
    internal static string CleanUpText(string text)
    {
        foreach ((string from, string to) in CleanUps)
        {
            if (from != " do not")
                text = text.Replace(from, to, StringComparison.Ordinal);
        }

        return text;
    }

    internal static string CleanUp(string text)
    {
        foreach ((string from, string to) in CleanUps)
            text = text.Replace(from, to, StringComparison.Ordinal);
        return text;
    }
}

/// <summary>BPEDecoder: the end-of-word suffix becomes a space, except at the end of the text.</summary>
internal sealed class BpeDecoder(string suffix) : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        List<string> output = new(tokens.Count);
        for (int i = 0; i < tokens.Count; i++)
            output.Add(suffix.Length == 0 ? tokens[i] : tokens[i].Replace(suffix, i == tokens.Count - 1 ? "" : " ", StringComparison.Ordinal));
        return output;
    }
}

/// <summary>Metaspace: the mark becomes a space; where marks were prepended, the first token's own goes.</summary>
internal sealed class MetaspaceDecoder(string replacement, bool dropsFirst) : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        List<string> output = new(tokens.Count);
        for (int i = 0; i < tokens.Count; i++)
        {
            string token = tokens[i];
            // The library drops every mark of the first token, not only the leading one.
            output.Add(token.Replace(replacement, i == 0 && dropsFirst ? "" : " ", StringComparison.Ordinal));
        }

        return output;
    }
}

/// <summary>CTC: neighbours that are equal count once, padding goes, the delimiter becomes a space.</summary>
internal sealed class CtcDecoder(string padToken, string delimiter, bool cleansUp) : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        List<string> output = [];
        for (int i = 0; i < tokens.Count; i++)
        {
            if (i > 0 && tokens[i] == tokens[i - 1])
                continue;
            string token = padToken.Length == 0 ? tokens[i] : tokens[i].Replace(padToken, "", StringComparison.Ordinal);
            if (cleansUp)
                token = WordPieceDecoder.CleanUp(token).Replace(delimiter, " ", StringComparison.Ordinal);
            if (token.Length > 0)
                output.Add(token);
        }

        return output;
    }
}
