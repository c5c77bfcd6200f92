// BertProcessing: [CLS] A [SEP], or [CLS] A [SEP] B [SEP] with the second text of type 1.
namespace LoraBuild.Core.Tokenizers.PostProcessors;

internal sealed class BertPostProcessor((int Id, string Token) cls, (int Id, string Token) sep) : IPostProcessor
{
    public (int[] Before, int[] Behind) Around => ([cls.Id], [sep.Id]);

    public Encoding Process(Encoding first, Encoding? second, bool addSpecialTokens)
    {
        if (!addSpecialTokens)
            return PostProcessing.Join(first, second);
        EncodingBuilder builder = new(first.Count + 2 + (second is null ? 0 : second.Count + 1));
        builder.AddSpecial(cls.Id, cls.Token, 0);
        builder.AddAll(first, 0, 0);
        builder.AddSpecial(sep.Id, sep.Token, 0);
        if (second is not null)
        {
            builder.AddAll(second, 1, 1);
            builder.AddSpecial(sep.Id, sep.Token, 1);
        }

        return builder.ToEncoding();
    }
}
