// BertProcessing: [CLS] A [SEP], or [CLS] A [SEP] B [SEP] with the second text of type 1.
namespace LoraBuild.Core.Tokenizers.PostProcessors;

internal sealed class BertPostProcessor((int Id, string Token) cls, (int Id, string Token) sep) : IPostProcessor
{
    public (int[] Before, int[] Behind)? Around => ([cls.Id], [sep.Id]);

    public int AddedTokens(bool isPair) => isPair ? 3 : 2;

    public List<Encoding> Process(List<Encoding> parts, bool addSpecialTokens) => addSpecialTokens
        ? [.. parts.Select((part, i) => PostProcessing.OfSequence(part, Math.Min(i, 1))).Select((part, i) => i == 0 ? PostProcessing.Surround(part, [cls], [sep], 0) : PostProcessing.Surround(part, [], [sep], 1))]
        : parts;
}
