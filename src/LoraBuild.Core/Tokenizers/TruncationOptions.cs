// The truncation section of tokenizer.json: cutting a text, or a pair, to a number of tokens.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tokenizers;

/// <summary>Which end loses tokens, or gets padding.</summary>
public enum CutDirection
{
    Left,
    Right,
}

/// <summary>Which text of a pair loses tokens.</summary>
public enum TruncationStrategy
{
    LongestFirst,
    OnlyFirst,
    OnlySecond,
}

/// <param name="MaxLength">Tokens that are left, special tokens included.</param>
/// <param name="Stride">Tokens that a window of what was cut off shares with the one before.</param>
public sealed record TruncationOptions(int MaxLength, CutDirection Direction = CutDirection.Right, TruncationStrategy Strategy = TruncationStrategy.LongestFirst, int Stride = 0)
{
    internal static TruncationOptions Read(JsonView view) => new(
        view["max_length"].AsInt(),
        view.TryGet("direction", out JsonView direction) ? direction.AsEnum<CutDirection>() : CutDirection.Right,
        view["strategy"].AsEnum<TruncationStrategy>(),
        view["stride"].AsInt());

    /// <summary>The texts' tokens, cut so that with the special tokens they are not more than wanted.</summary>
    /// <exception cref="DiagnosticException">LB0214: the one text that may be cut is too short, or the stride leaves nothing.</exception>
    internal (Encoding First, Encoding? Second) Apply(Encoding first, Encoding? second, int addedTokens)
    {
        first = OfFirstWords(first);
        second = second is null ? null : OfFirstWords(second);
        int total = first.Count + (second?.Count ?? 0);
        if (MaxLength == 0 && addedTokens == 0)
            return (Cut(first, 0), second is null ? null : Cut(second, 0));
        // The library subtracts without a check: with more special tokens than room nothing is cut.
        int room = MaxLength - addedTokens;
        if (room < 0 || total <= room)
            return (first, second);
        if (room == 0)
            return (Cut(first, 0), second is null ? null : Cut(second, 0));
        switch (Strategy)
        {
            case TruncationStrategy.LongestFirst when second is null:
                return (Cut(first, room), null);
            case TruncationStrategy.LongestFirst:
                (int ofFirst, int ofSecond) = Share(first.Count, second!.Count, room);
                return (Cut(first, ofFirst), Cut(second, ofSecond));
            case TruncationStrategy.OnlySecond when second is null:
                throw new DiagnosticException("LB0214", "truncation may only cut the second text, but there is one text; use LongestFirst or OnlyFirst");
            default:
                Encoding target = Strategy == TruncationStrategy.OnlyFirst ? first : second!;
                int left = target.Count - (total - room);
                if (left <= 0)
                    throw new DiagnosticException("LB0214", $"truncation to {MaxLength} tokens would have to take {total - room} of the {target.Count} tokens of the only text that it may cut; use LongestFirst, or a larger max_length");
                return Strategy == TruncationStrategy.OnlyFirst ? (Cut(first, left), second) : (first, Cut(second!, left));
        }
    }

    /// <summary>
    /// The library stops reading a text at the word that reaches the wanted length, so what lies behind that word does not overflow either.
    /// </summary>
    private Encoding OfFirstWords(Encoding encoding)
    {
        int[] words = encoding.WordIds;
        if (Direction == CutDirection.Right)
        {
            int end = Math.Min(Math.Max(1, MaxLength), words.Length);
            while (end > 0 && end < words.Length && words[end] == words[end - 1])
                end++;
            return encoding.Slice(0, end);
        }

        int start = Math.Max(0, words.Length - Math.Max(1, MaxLength));
        while (start > 0 && start < words.Length && words[start] == words[start - 1])
            start--;
        return encoding.Slice(start, words.Length);
    }

    /// <summary>The shorter text stays whole where there is room, else both get half.</summary>
    private static (int First, int Second) Share(int first, int second, int room)
    {
        int shorter = Math.Min(first, second);
        int longer = shorter > room ? shorter : Math.Max(shorter, room - shorter);
        if (shorter + longer > room)
        {
            shorter = room / 2;
            longer = shorter + (room % 2);
        }

        return first > second ? (longer, shorter) : (shorter, longer);
    }

    private Encoding Cut(Encoding encoding, int length)
    {
        if (length >= encoding.Count)
            return encoding;
        if (length == 0)
            return Encoding.Empty with { Overflowing = [encoding] };
        if (Stride >= length)
            throw new DiagnosticException("LB0214", $"the stride {Stride} of the truncation must be smaller than the {length} tokens that are left of a text");
        List<Encoding> windows = [];
        int step = length - Stride;
        if (Direction == CutDirection.Right)
        {
            for (int start = 0; ; start += step)
            {
                int end = Math.Min(start + length, encoding.Count);
                windows.Add(encoding.Slice(start, end));
                if (end == encoding.Count)
                    break;
            }
        }
        else
        {
            for (int end = encoding.Count; ; end -= step)
            {
                int start = Math.Max(0, end - length);
                windows.Add(encoding.Slice(start, end));
                if (start == 0)
                    break;
            }
        }

        return windows[0] with { Overflowing = windows[1..] };
    }
}
