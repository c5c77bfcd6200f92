// What encoding a text gives: the tokens with their places and roles.
namespace LoraBuild.Core.Tokenizers;

/// <summary>The tokens of one text (or of a pair), with the fields of Hugging Face's <c>Encoding</c>; all arrays have one entry a token.</summary>
public sealed record Encoding
{
    public required int[] Ids { get; init; }

    /// <summary>The vocabulary's strings; for an added token the text that it matched; for an unknown piece of a Unigram model that piece.</summary>
    public required string[] Tokens { get; init; }

    /// <summary>Places in the original text in Unicode code points, end exclusive. (0, 0) for tokens that the post-processor added.</summary>
    public required (int Start, int End)[] Offsets { get; init; }

    /// <summary>0 for the first text, 1 for the second, as the post-processor says.</summary>
    public required int[] TypeIds { get; init; }

    /// <summary>True for tokens that the post-processor added (a special token found in the text is not marked).</summary>
    public required bool[] SpecialTokensMask { get; init; }

    /// <summary>The index of the pre-token; −1 for tokens that the post-processor added.</summary>
    public required int[] WordIds { get; init; }

    /// <summary>0 or 1: which text of a pair; −1 for tokens that the post-processor added.</summary>
    public required int[] SequenceIds { get; init; }

    /// <summary>1 for the tokens of texts and templates, 0 for padding.</summary>
    public int[] AttentionMask { get => field ?? [.. Enumerable.Repeat(1, Ids.Length)]; init; }

    /// <summary>What truncation cut off, in windows of the same length; empty without truncation.</summary>
    public IReadOnlyList<Encoding> Overflowing { get; init; } = [];

    public int Count => Ids.Length;

    /// <summary>The tokens <paramref name="start"/> … <paramref name="end"/> (exclusive). Which text they came from is forgotten, as in the library.</summary>
    internal Encoding Slice(int start, int end) => this with
    {
        Ids = Ids[start..end],
        Tokens = Tokens[start..end],
        Offsets = Offsets[start..end],
        TypeIds = TypeIds[start..end],
        SpecialTokensMask = SpecialTokensMask[start..end],
        WordIds = WordIds[start..end],
        SequenceIds = SequenceIds[start..end],
        AttentionMask = AttentionMask[start..end],
        Overflowing = [],
    };

    internal static Encoding Empty { get; } = new EncodingBuilder(0).ToEncoding();
}
