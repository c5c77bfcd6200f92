// RobertaProcessing: <s> A </s>, or <s> A </s> </s> B </s>, all of type 0.
namespace LoraBuild.Core.Tokenizers.PostProcessors;

internal sealed class RobertaPostProcessor((int Id, string Token) cls, (int Id, string Token) sep, bool trimsOffsets, bool addsPrefixSpace) : IPostProcessor
{
    private readonly ByteLevelPostProcessor trim = new(addsPrefixSpace, trimsOffsets);

    public (int[] Before, int[] Behind)? Around => ([cls.Id], [sep.Id]);

    public int AddedTokens(bool isPair) => isPair ? 4 : 2;

    public List<Encoding> Process(List<Encoding> parts, bool addSpecialTokens)
    {
        List<Encoding> typed = trim.Trim(parts)
            .ConvertAll(part => PostProcessing.OfType(part, 0));
        return addSpecialTokens ? [.. typed.Select((part, i) => PostProcessing.Surround(PostProcessing.OfSequence(part, Math.Min(i, 1)), [i == 0 ? cls : sep], [sep], 0))] : typed;
    }
}
