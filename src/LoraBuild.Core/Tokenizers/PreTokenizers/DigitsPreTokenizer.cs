// Digits: separates numbers, or each digit, from the rest.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.PreTokenizers;

/// <summary>A digit is any numeric character: ² and Ⅻ too.</summary>
internal sealed class DigitsPreTokenizer(bool isIndividual) : IPreTokenizer
{
    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output)
    {
        ReadOnlySpan<char> text = piece.Span;
        int start = 0;
        bool previousIsDigit = false;
        for (int i = 0; i < text.Length;)
        {
            int c = UnicodeClasses.CodePointAt(text, i, out int units);
            bool isDigit = UnicodeClasses.IsNumeric(c);
            if (i > start && (isDigit != previousIsDigit || (isDigit && isIndividual)))
            {
                output.Add(piece.Slice(start, i - start));
                start = i;
            }

            previousIsDigit = isDigit;
            i += units;
        }

        if (start < text.Length)
            output.Add(piece.Slice(start, text.Length - start));
    }
}
