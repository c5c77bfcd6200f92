// What the audit knows of the tokenizer, looked up once.
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

internal sealed class TokenizerFacts
{
    public TokenizerFacts(Tokenizer tokenizer)
    {
        Tokenizer = tokenizer;
        Ends = new TurnEnds(tokenizer);
        Bos = tokenizer.BosTokenId;
        int[] ofNothing = tokenizer.EncodeToIds("");
        BeginsWithBos = Bos is int bos && ofNothing.Length > 0 && ofNothing[0] == bos;
    }

    public Tokenizer Tokenizer { get; }

    public TurnEnds Ends { get; }

    public int? Bos { get; }

    /// <summary>Whether the tokenizer itself puts BOS before a text.</summary>
    public bool BeginsWithBos { get; }

    public bool PadIsEos => Tokenizer.PadTokenId is int pad && pad == Tokenizer.EosTokenId;

    public string NameOf(int id) => Tokenizer.IdToToken(id) ?? $"id {id}";

    public TokenizerAudit ToAudit() => new(Tokenizer.VocabularySize, Tokenizer.BosToken, Tokenizer.EosToken, Tokenizer.PadToken, BeginsWithBos, PadIsEos);
}
