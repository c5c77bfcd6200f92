// Strings as sequences of code points: lengths, slices, whitespace. Text is UTF-16 inside; lone surrogates count as one code point.
using System.Globalization;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyText
{
    /// <summary>Length, charged to the meter.</summary>
    public static int MeteredLength(string text)
    {
        Budget.Current.Scan(text.Length);
        return Length(text);
    }

    public static int Length(string text)
    {
        if (!HasPairs(text))
            return text.Length;
        int count = text.Length;
        for (int i = 1; i < text.Length; i++)
        {
            if (char.IsLowSurrogate(text[i]) && char.IsHighSurrogate(text[i - 1]))
                count--;
        }

        return count;
    }

    /// <summary>One string a code point.</summary>
    public static List<string> Split(string text)
    {
        Budget.Current.Characters(text.Length * 2L);
        List<string> points = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            bool isPair = char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            points.Add(isPair ? text.Substring(i++, 2) : text[i].ToString());
        }

        return points;
    }

    public static bool HasPairs(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDBFF') >= 0;

    /// <summary>The code point at an index that counts from the end when negative; null when there is none.</summary>
    public static string? At(string text, long index)
    {
        if (!HasPairs(text))
        {
            index = index < 0 ? index + text.Length : index;
            return index >= 0 && index < text.Length ? text[(int)index].ToString() : null;
        }

        List<string> points = Split(text);
        index = index < 0 ? index + points.Count : index;
        return index >= 0 && index < points.Count ? points[(int)index] : null;
    }

    /// <summary>UTF-16 index of code point <paramref name="index"/>; the text's length when there are fewer.</summary>
    public static int Utf16Index(string text, long index)
    {
        int at = 0;
        while (index > 0 && at < text.Length)
        {
            at += char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;
            index--;
        }

        return at;
    }

    /// <summary>str.isspace() of one code point: all of Unicode's White_Space and U+001C–U+001F, not U+200B or U+FEFF.</summary>
    public static bool IsSpace(char c) => c is (>= '\t' and <= '\r') or (>= '\x1c' and <= ' ') or '\x85' or '\xa0' or '\u1680' or (>= '\u2000' and <= '\u200a') or '\u2028' or '\u2029' or '\u202f' or '\u205f' or '\u3000';

    /// <summary>What str.splitlines() takes for the end of a line.</summary>
    public static bool IsLineEnd(char c) => c is (>= '\n' and <= '\r') or (>= '\x1c' and <= '\x1e') or '\x85' or '\u2028' or '\u2029';

    public static string Trim(string text, string? characters = null, bool atStart = true, bool atEnd = true)
    {
        int start = 0;
        int end = text.Length;
        if (characters is null || !HasPairs(characters))
        {
            HashSet<char>? many = characters?.Length > 8 ? [.. characters] : null;
            while (atStart && start < end && IsTrimmed(text[start]))
                start++;
            while (atEnd && end > start && IsTrimmed(text[end - 1]))
                end--;
            Budget.Current.Step((text.Length - (end - start)) >> 3);
            return text[start..end];

            bool IsTrimmed(char c) => many?.Contains(c) ?? characters?.Contains(c, StringComparison.Ordinal) ?? IsSpace(c);
        }

        HashSet<string> set = [.. Split(characters)];
        List<string> points = Split(text);
        int first = 0;
        int last = points.Count;
        while (atStart && first < last && set.Contains(points[first]))
            first++;
        while (atEnd && last > first && set.Contains(points[last - 1]))
            last--;
        return string.Concat(points.GetRange(first, last - first));
    }

    public static List<string> SplitLines(string text, bool keepEnds = false)
    {
        List<string> lines = [];
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (!IsLineEnd(text[i]))
                continue;
            int end = i;
            if (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n')
                i++;
            Budget.Current.Step(4 + ((i - start) >> 3));
            lines.Add(text[start..(keepEnds ? i + 1 : end)]);
            start = i + 1;
        }

        if (start < text.Length)
            lines.Add(text[start..]);
        return lines;
    }

    public static string[] SplitWhitespace(string text, int limit = -1)
    {
        List<string> words = [];
        int i = 0;
        while (true)
        {
            while (i < text.Length && IsSpace(text[i]))
                i++;
            if (i == text.Length)
                break;
            int start = i;
            if (limit >= 0 && words.Count == limit)
            {
                words.Add(Trim(text[start..], atStart: false));
                break;
            }

            while (i < text.Length && !IsSpace(text[i]))
                i++;
            Budget.Current.Step(4 + ((i - start) >> 3));
            words.Add(text[start..i]);
        }

        return [.. words];
    }

    /// <summary>str.isprintable() of one code point.</summary>
    public static bool IsPrintable(int code)
    {
        if (code is >= 0x20 and < 0x7F)
            return true;
        if (code is >= 0xD800 and <= 0xDFFF)
            return false;
        return Rune.GetUnicodeCategory(new Rune(code)) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
    }

    /// <summary>Occurrences of <paramref name="old"/> from the left, at most <paramref name="limit"/> when it is not negative; an empty one stands before each code point and at the end.</summary>
    public static string Replace(string text, string old, string replacement, long limit = -1)
    {
        if (limit == 0)
            return text;
        limit = limit < 0 ? long.MaxValue : limit;
        StringBuilder result = new();
        if (old.Length == 0)
        {
            List<string> points = Split(text);
            for (int i = 0; i <= points.Count; i++)
            {
                Budget.Current.Step(1 + (replacement.Length >> 4));
                Budget.Current.Limit((long)result.Length + replacement.Length);
                if (limit-- > 0)
                    result.Append(replacement);
                if (i < points.Count)
                    result.Append(points[i]);
            }
        }
        else
        {
            int from = 0;
            for (int at; limit > 0 && (at = PySearch.IndexOf(text, old, from)) >= 0; from = at + old.Length, limit--)
            {
                Budget.Current.Limit((long)result.Length + (at - from) + replacement.Length);
                Budget.Current.Step(1 + (replacement.Length >> 4));
                result.Append(text, from, at - from).Append(replacement);
            }

            result.Append(text, from, text.Length - from);
        }

        Budget.Current.Text(result.Length);
        return result.ToString();
    }
}
