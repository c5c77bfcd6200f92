// What a trained tokenizer is to be.
namespace LoraBuild.Core.Tokenizers.Training;

/// <summary>How text is cut before the merges are counted; written into tokenizer.json.</summary>
public enum BytePreTokenizer
{
    /// <summary>GPT-2's pattern (llama.cpp: <c>gpt-2</c>).</summary>
    Gpt2,

    /// <summary>Each digit alone, then GPT-2's pattern (llama.cpp: <c>smollm</c>).</summary>
    SmolLm,
}

public sealed record BpeTrainerOptions
{
    /// <summary>All tokens together: special tokens, the 256 bytes, and the merges' results. At least special tokens + 256.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>A pair that occurs less often is not merged.</summary>
    public long MinFrequency { get; init; } = 2;

    /// <summary>Get the ids from 0 in this order and are never part of a merge.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];

    public BytePreTokenizer PreTokenizer { get; init; } = BytePreTokenizer.SmolLm;
}
