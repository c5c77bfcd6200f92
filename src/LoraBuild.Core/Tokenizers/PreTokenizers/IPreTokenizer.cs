// The second stage: cuts the text into the words that the model sees one by one.
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers.PreTokenizers;

/// <param name="HasPlaces">Whether rewritten text must keep the places in the original.</param>
internal sealed record PreTokenizeContext(RegexScratch Regex, bool HasPlaces);

internal interface IPreTokenizer
{
    /// <summary>Appends the parts of <paramref name="piece"/>; empty parts are left out.</summary>
    void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output);
}

internal sealed class SequencePreTokenizer(IReadOnlyList<IPreTokenizer> items) : IPreTokenizer
{
    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output)
    {
        if (items.Count == 0)
        {
            output.Add(piece);
            return;
        }

        List<TextPiece> current = [piece];
        for (int i = 0; i < items.Count; i++)
        {
            List<TextPiece> next = i == items.Count - 1 ? output : new(current.Count);
            foreach (TextPiece part in current)
                items[i].Split(part, context, next);
            current = next;
        }
    }
}
