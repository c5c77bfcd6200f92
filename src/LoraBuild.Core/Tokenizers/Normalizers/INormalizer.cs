// The first stage: rewrites the text between added tokens.
namespace LoraBuild.Core.Tokenizers.Normalizers;

internal interface INormalizer
{
    /// <summary>The rewritten piece; the same one where nothing changes.</summary>
    TextPiece Normalize(TextPiece piece, bool hasPlaces);
}

internal sealed class SequenceNormalizer(IReadOnlyList<INormalizer> items) : INormalizer
{
    public TextPiece Normalize(TextPiece piece, bool hasPlaces)
    {
        foreach (INormalizer item in items)
            piece = item.Normalize(piece, hasPlaces);
        return piece;
    }
}
