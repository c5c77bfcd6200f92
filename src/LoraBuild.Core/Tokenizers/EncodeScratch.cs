// What one call of the tokenizer works in; kept between calls and never used by two threads at once.
using LoraBuild.Core.Tokenizers.Models;
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers;

internal sealed class EncodeScratch
{
    public EncodeScratch()
    {
        RegexScratch regex = new();
        IdsContext = new PreTokenizeContext(regex, HasPlaces: false);
        PlacesContext = new PreTokenizeContext(regex, HasPlaces: true);
    }

    public ModelScratch Model { get; } = new();

    public TokenBuffer Ids { get; } = new(hasPlaces: false);

    public TokenColumns Columns { get; } = new();

    public List<Segment> Segments { get; } = [];

    public List<TextPiece> Words { get; } = [];

    public PreTokenizeContext IdsContext { get; }

    public PreTokenizeContext PlacesContext { get; }
}

/// <summary>From UTF-16 units of a text to its code points.</summary>
internal sealed class CodePointIndex
{
    private readonly int[]? codePointOfUnit;

    public CodePointIndex(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
            return;
        codePointOfUnit = new int[text.Length + 1];
        int count = 0;
        for (int i = 0; i < text.Length; i++)
        {
            // The second half of a pair counts as the place behind the pair's start.
            codePointOfUnit[i] = char.IsLowSurrogate(text[i]) ? count - 1 : count;
            if (!char.IsLowSurrogate(text[i]))
                count++;
        }

        codePointOfUnit[text.Length] = count;
    }

    public int Of(int unit) => codePointOfUnit is null ? unit : codePointOfUnit[unit];
}
