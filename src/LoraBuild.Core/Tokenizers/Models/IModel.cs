// The third stage: turns one word into tokens.
namespace LoraBuild.Core.Tokenizers.Models;

internal interface IModel
{
    Vocabulary Vocabulary { get; }

    /// <summary>Whether an unknown piece shows its own text among the tokens (Unigram) instead of the unknown token's.</summary>
    bool ShowsUnknownText { get; }

    int? UnknownId { get; }

    /// <summary>Appends the tokens of a word that is not empty and has no lone surrogates.</summary>
    void Tokenize(ReadOnlySpan<char> word, ModelScratch scratch, TokenBuffer output);
}

/// <summary>What a model keeps between words: buffers and the cache. One thread at a time.</summary>
internal sealed class ModelScratch
{
    public WordCache Cache { get; } = new();

    public BpeWord Word { get; } = new();

    public UnigramLattice Lattice { get; } = new();

    public TokenBuffer Places { get; } = new(hasPlaces: true);

    public byte[] Bytes { get; set; } = new byte[256];
}
