// The way back: from token strings to text, in steps that rewrite the list of strings.
namespace LoraBuild.Core.Tokenizers.Decoders;

internal interface IDecoder
{
    /// <summary>The rewritten strings; their concatenation is the text.</summary>
    List<string> Decode(List<string> tokens);
}

internal sealed class SequenceDecoder(IReadOnlyList<IDecoder> items) : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        foreach (IDecoder item in items)
            tokens = item.Decode(tokens);
        return tokens;
    }
}
