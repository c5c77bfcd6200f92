// Text on its way through the pipeline, with the place in the original text that each of its UTF-16 units came from.
namespace LoraBuild.Core.Tokenizers;

/// <param name="Text">Without lone surrogates.</param>
/// <param name="Starts">For each unit the start of its span in the original, in UTF-16 units; null: the text is the original itself, or places are not wanted.</param>
/// <param name="Ends">The exclusive ends of those spans; null together with <paramref name="Starts"/>.</param>
/// <param name="Origin">Where in the original the first unit came from: known even where places are not kept.</param>
internal sealed record AlignedText(string Text, int[]? Starts = null, int[]? Ends = null, int Origin = 0)
{
    /// <summary>0 exactly for what stands at the start of the original text.</summary>
    public int OriginOf(int unit) => Starts is null ? Origin + unit : Starts[unit];

    public int StartOf(int unit) => Starts is null ? unit : Starts[unit];

    public int EndOf(int unit) => Ends is null ? unit + 1 : Ends[unit];
}

/// <summary>A stretch of an <see cref="AlignedText"/>, in UTF-16 units: what one component hands to the next.</summary>
internal readonly record struct TextPiece(AlignedText Text, int Start, int Length)
{
    public ReadOnlySpan<char> Span => Text.Text.AsSpan(Start, Length);

    public int End => Start + Length;

    /// <summary>Whether the piece begins where the whole text begins, whatever was prepended to it.</summary>
    public bool IsAtTextStart => Length > 0 && Text.OriginOf(Start) == 0;

    public TextPiece Slice(int start, int length) => new(Text, Start + start, length);
}

/// <summary>Builds a rewritten text: each new character says which old unit's place it takes.</summary>
internal sealed class AlignedTextBuilder(TextPiece source, bool hasPlaces)
{
    private readonly System.Text.StringBuilder text = new(source.Length + 16);
    private readonly List<int>? starts = hasPlaces ? new(source.Length + 16) : null;
    private readonly List<int>? ends = hasPlaces ? new(source.Length + 16) : null;

    public int Length => text.Length;

    /// <summary>Adds a character with the place of the piece's unit <paramref name="sourceUnit"/> (the whole code point when that unit begins a surrogate pair); −1: no place, (0, 0).</summary>
    public void Append(char c, int sourceUnit)
    {
        text.Append(c);
        if (starts is null)
            return;
        if (sourceUnit < 0)
        {
            starts.Add(0);
            ends!.Add(0);
            return;
        }

        (int first, int last) = CodePointUnits(source.Start + sourceUnit);
        starts.Add(source.Text.StartOf(first));
        ends!.Add(source.Text.EndOf(last));
    }

    public void AppendCodePoint(int codePoint, int sourceUnit)
    {
        if (codePoint < 0x10000)
        {
            Append((char)codePoint, sourceUnit);
            return;
        }

        int offset = codePoint - 0x10000;
        Append((char)(0xD800 + (offset >> 10)), sourceUnit);
        Append((char)(0xDC00 + (offset & 0x3FF)), sourceUnit);
    }

    /// <summary>Adds a stretch of the piece unchanged.</summary>
    public void AppendSource(int start, int length)
    {
        if (starts is null)
        {
            text.Append(source.Span.Slice(start, length));
            return;
        }

        for (int i = start; i < start + length; i++)
            Append(source.Span[i], i);
    }

    public TextPiece ToPiece() => new(new AlignedText(text.ToString(), starts?.ToArray(), ends?.ToArray(), source.Length > 0 ? source.Text.OriginOf(source.Start) : 0), 0, text.Length);

    private (int First, int Last) CodePointUnits(int unit)
    {
        string s = source.Text.Text;
        if (char.IsHighSurrogate(s[unit]) && unit + 1 < s.Length)
            return (unit, unit + 1);
        return char.IsLowSurrogate(s[unit]) && unit > 0 ? (unit - 1, unit) : (unit, unit);
    }
}
