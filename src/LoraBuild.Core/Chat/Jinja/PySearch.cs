// Finds text in text in time that grows with the sum of both lengths, never with their product: templates and their texts are not trusted.
namespace LoraBuild.Core.Chat.Jinja;

internal static class PySearch
{
    /// <summary>Up to here the runtime's own search is at most this many comparisons a character.</summary>
    private const int ShortPattern = 32;

    /// <summary>UTF-16 index of the first occurrence at or behind <paramref name="from"/>; -1 when there is none.</summary>
    public static int IndexOf(string text, string pattern, int from = 0)
    {
        int found = pattern.Length <= ShortPattern
            ? text.IndexOf(pattern, from, StringComparison.Ordinal)
            : Linear(text.AsSpan(from), pattern, fromRight: false) is >= 0 and int at ? from + at : -1;
        Charge((found < 0 ? text.Length : found + pattern.Length) - from, pattern);
        return found;
    }

    /// <summary>UTF-16 index of the last occurrence that ends at or before <paramref name="end"/>; -1 when there is none.</summary>
    public static int LastIndexOf(string text, string pattern, int end)
    {
        ReadOnlySpan<char> part = text.AsSpan(0, end);
        int found = pattern.Length <= ShortPattern ? part.LastIndexOf(pattern, StringComparison.Ordinal) : Linear(part, pattern, fromRight: true);
        Charge(end - Math.Max(found, 0), pattern);
        return found;
    }

    /// <summary>How often <paramref name="pattern"/> stands in <paramref name="text"/> without overlap.</summary>
    public static int Count(string text, string pattern)
    {
        int count = 0;
        for (int at = 0; (at = IndexOf(text, pattern, at)) >= 0; at += pattern.Length)
            count++;
        return count;
    }

    /// <summary>The pieces between occurrences, at most <paramref name="limit"/> cuts when it is not negative.</summary>
    public static List<string> Split(string text, string separator, long limit)
    {
        List<string> parts = [];
        int from = 0;
        for (int at; limit != 0 && (at = IndexOf(text, separator, from)) >= 0; from = at + separator.Length, limit--)
            Add(parts, text[from..at]);
        Add(parts, text[from..]);
        return parts;
    }

    /// <summary>As <see cref="Split"/>, cutting from the right.</summary>
    public static List<string> SplitFromRight(string text, string separator, long limit)
    {
        List<string> parts = [];
        int end = text.Length;
        for (int at; limit != 0 && (at = LastIndexOf(text, separator, end)) >= 0; end = at, limit--)
            Add(parts, text[(at + separator.Length)..end]);
        Add(parts, text[..end]);
        parts.Reverse();
        return parts;
    }

    private static void Add(List<string> parts, string part)
    {
        Budget.Current.Step(3);
        parts.Add(part);
    }

    private static void Charge(int scanned, string pattern) =>
        Budget.Current.Step(1 + (pattern.Length <= ShortPattern ? scanned >> (pattern.Length == 1 ? 7 : 4) : (scanned + (long)pattern.Length) >> 2));

    /// <summary>Knuth, Morris, Pratt; from the right both texts are read backwards.</summary>
    private static int Linear(ReadOnlySpan<char> text, ReadOnlySpan<char> pattern, bool fromRight)
    {
        if (pattern.Length > text.Length)
            return -1;
        int[] borders = new int[pattern.Length];
        for (int i = 1, matched = 0; i < pattern.Length; i++)
        {
            while (matched > 0 && At(pattern, i, fromRight) != At(pattern, matched, fromRight))
                matched = borders[matched - 1];
            matched += At(pattern, i, fromRight) == At(pattern, matched, fromRight) ? 1 : 0;
            borders[i] = matched;
        }

        for (int i = 0, matched = 0; i < text.Length; i++)
        {
            while (matched > 0 && At(text, i, fromRight) != At(pattern, matched, fromRight))
                matched = borders[matched - 1];
            matched += At(text, i, fromRight) == At(pattern, matched, fromRight) ? 1 : 0;
            if (matched == pattern.Length)
                return fromRight ? text.Length - 1 - i : i + 1 - pattern.Length;
        }

        return -1;
    }

    private static char At(ReadOnlySpan<char> text, int i, bool fromRight) => fromRight ? text[text.Length - 1 - i] : text[i];
}
