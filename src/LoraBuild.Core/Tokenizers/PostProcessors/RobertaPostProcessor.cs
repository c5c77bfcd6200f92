// RobertaProcessing: <s> A </s>, or <s> A </s> </s> B </s>, all of type 0.
namespace LoraBuild.Core.Tokenizers.PostProcessors;

internal sealed class RobertaPostProcessor((int Id, string Token) cls, (int Id, string Token) sep, bool trimsOffsets, bool addsPrefixSpace) : IPostProcessor
{
    public (int[] Before, int[] Behind) Around => ([cls.Id], [sep.Id]);

    public Encoding Process(Encoding first, Encoding? second, bool addSpecialTokens)
    {
        if (trimsOffsets)
        {
            ByteLevelPostProcessor.TrimOffsets(first, addsPrefixSpace);
            if (second is not null)
                ByteLevelPostProcessor.TrimOffsets(second, addsPrefixSpace);
        }

        int brackets = addSpecialTokens ? (second is null ? 2 : 4) : 0;
        EncodingBuilder builder = new(first.Count + (second?.Count ?? 0) + brackets);
        Bracket(builder, cls, addSpecialTokens);
        builder.AddAll(first, 0, 0);
        Bracket(builder, sep, addSpecialTokens);
        if (second is not null)
        {
            Bracket(builder, sep, addSpecialTokens);
            builder.AddAll(second, 0, 1);
            Bracket(builder, sep, addSpecialTokens);
        }

        return builder.ToEncoding();
    }

    private static void Bracket(EncodingBuilder builder, (int Id, string Token) special, bool addSpecialTokens)
    {
        if (addSpecialTokens)
            builder.AddSpecial(special.Id, special.Token, 0);
    }
}
