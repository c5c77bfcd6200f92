// Text on its way through the pipeline, with the place in the original text that each of its UTF-16 units came from.
namespace LoraBuild.Core.Tokenizers;

/// <param name="Text">Without lone surrogates.</param>
/// <param name="Starts">For each unit (and perhaps room behind them) the start of its span in the original, in UTF-16 units; null: the text is the original itself, or places are not wanted.</param>
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
    private char[] text = new char[source.Length + 16];
    private int[] starts = hasPlaces ? new int[source.Length + 16] : [];
    private int[] ends = hasPlaces ? new int[source.Length + 16] : [];

    public int Length { get; private set; }

    /// <summary>Adds a character with the place of the piece's unit <paramref name="sourceUnit"/> (the whole code point when that unit begins a surrogate pair); −1: no place, (0, 0).</summary>
    public void Append(char c, int sourceUnit)
    {
        Reserve(1);
        text[Length] = c;
        if (hasPlaces)
            (starts[Length], ends[Length]) = sourceUnit < 0 ? (0, 0) : PlaceOf(source.Start + sourceUnit);
        Length++;
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
        Reserve(length);
        ReadOnlySpan<char> part = source.Span.Slice(start, length);
        part.CopyTo(text.AsSpan(Length));
        if (hasPlaces && source.Text.Starts is { } sourceStarts)
        {
            // Both halves of a pair have the place of the whole already.
            sourceStarts.AsSpan(source.Start + start, length).CopyTo(starts.AsSpan(Length));
            source.Text.Ends.AsSpan(source.Start + start, length).CopyTo(ends.AsSpan(Length));
        }
        else if (hasPlaces)
        {
            Span<int> newStarts = starts.AsSpan(Length, length);
            Span<int> newEnds = ends.AsSpan(Length, length);
            int unit = source.Start + start;
            for (int i = 0; i < part.Length; i++, unit++)
            {
                if (char.IsSurrogate(part[i]))
                    (newStarts[i], newEnds[i]) = PlaceOf(unit);
                else
                    (newStarts[i], newEnds[i]) = (unit, unit + 1);
            }
        }

        Length += length;
    }

    /// <summary>The text so far; the builder is not used behind this.</summary>
    public TextPiece ToPiece() => new(
        new AlignedText(new string(text, 0, Length), hasPlaces ? starts : null, hasPlaces ? ends : null, source.Length > 0 ? source.Text.OriginOf(source.Start) : 0), 0, Length);

    /// <summary>The span in the original of the whole code point that a unit of the source belongs to.</summary>
    private (int Start, int End) PlaceOf(int unit)
    {
        string s = source.Text.Text;
        int first = char.IsLowSurrogate(s[unit]) && unit > 0 ? unit - 1 : unit;
        int last = char.IsHighSurrogate(s[unit]) && unit + 1 < s.Length ? unit + 1 : unit;
        return (source.Text.StartOf(first), source.Text.EndOf(last));
    }

    private void Reserve(int more)
    {
        if (Length + more <= text.Length)
            return;
        int size = Math.Max(text.Length * 2, Length + more);
        Array.Resize(ref text, size);
        if (!hasPlaces)
            return;
        Array.Resize(ref starts, size);
        Array.Resize(ref ends, size);
    }
}
