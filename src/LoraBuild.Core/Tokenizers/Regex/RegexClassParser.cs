// Reads what stands for one character: bracket classes with ranges, nesting and intersection, escapes, and \p{…} properties.
using System.Globalization;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Regex;

internal static class RegexClassParser
{
    /// <summary>Reads a bracket class; <paramref name="position"/> stands behind the opening bracket and ends behind the closing one.</summary>
    public static CodePointSet Parse(string pattern, ref int position, bool ignoresCase)
    {
        int start = position;
        bool isNegated = position < pattern.Length && pattern[position] == '^';
        if (isNegated)
            position++;
        List<Func<int, bool>> items = [];
        Func<int, bool>? intersection = null;
        bool isFirst = true;
        while (true)
        {
            if (position >= pattern.Length)
                throw new RegexSyntaxException("a character class is not closed", start);
            if (pattern[position] == ']' && !isFirst)
            {
                position++;
                break;
            }

            isFirst = false;
            if (pattern[position] == '[')
            {
                if (position + 1 < pattern.Length && pattern[position + 1] == ':')
                    throw new RegexSyntaxException("POSIX brackets are not supported; write \\p{…}", position);
                position++;
                items.Add(Parse(pattern, ref position, ignoresCase).Contains);
            }
            else if (string.CompareOrdinal(pattern, position, "&&", 0, 2) == 0)
            {
                position += 2;
                intersection = And(intersection, Any(items));
                items = [];
            }
            else
                items.Add(ParseItem(pattern, ref position, ignoresCase));
        }

        Func<int, bool> all = And(intersection, Any(items));
        return new CodePointSet(isNegated ? c => !all(c) : all);
    }

    private static Func<int, bool> Any(List<Func<int, bool>> items)
    {
        Func<int, bool>[] fixedItems = [.. items];
        return c =>
        {
            foreach (Func<int, bool> item in fixedItems)
            {
                if (item(c))
                    return true;
            }

            return false;
        };
    }

    private static Func<int, bool> And(Func<int, bool>? left, Func<int, bool> right) => left is null ? right : c => left(c) && right(c);

    private static Func<int, bool> ParseItem(string pattern, ref int position, bool ignoresCase)
    {
        if (ParseClassEscape(pattern, ref position) is { } set)
            return set;
        int first = ParseCodePoint(pattern, ref position);
        bool isRange = position + 1 < pattern.Length && pattern[position] == '-' && pattern[position + 1] != ']';
        if (!isRange)
            return ignoresCase ? CaseFolding.Equivalents(first).Contains : c => c == first;
        int at = position++;
        if (ParseClassEscape(pattern, ref position) is { } after)
            return c => c == first || c == '-' || after(c);
        int last = ParseCodePoint(pattern, ref position);
        if (last < first)
            throw new RegexSyntaxException("a range in a character class runs backwards", at);
        if (!ignoresCase)
            return c => c >= first && c <= last;
        if (last >= 128)
            throw new RegexSyntaxException("a case-insensitive range beyond ASCII is not supported", at);
        CodePointSet[] folded = [.. Enumerable.Range(first, last - first + 1).Select(CaseFolding.Equivalents)];
        return c => Array.Exists(folded, f => f.Contains(c));
    }

    /// <summary>An escape outside brackets: a class or one character.</summary>
    public static CodePointSet ParseEscape(string pattern, ref int position, bool ignoresCase)
    {
        int start = position;
        if (ParseClassEscape(pattern, ref position) is { } set)
            return new CodePointSet(set);
        if (start + 1 < pattern.Length && char.IsAsciiDigit(pattern[start + 1]) && pattern[start + 1] != '0')
            throw new RegexSyntaxException("back references are not supported", start);
        int c = ParseCodePoint(pattern, ref position);
        return ignoresCase ? CaseFolding.Equivalents(c) : CodePointSet.Single(c);
    }

    private static Func<int, bool>? ParseClassEscape(string pattern, ref int position)
    {
        if (pattern[position] != '\\' || position + 1 >= pattern.Length)
            return null;
        char kind = pattern[position + 1];
        Func<int, bool>? set = kind switch
        {
            's' => UnicodeClasses.IsWhiteSpace,
            'S' => c => !UnicodeClasses.IsWhiteSpace(c),
            'd' => UnicodeClasses.IsDecimalDigit,
            'D' => c => !UnicodeClasses.IsDecimalDigit(c),
            'w' => UnicodeClasses.IsWord,
            'W' => c => !UnicodeClasses.IsWord(c),
            'h' => c => c < 128 && char.IsAsciiHexDigit((char)c),
            'H' => c => c >= 128 || !char.IsAsciiHexDigit((char)c),
            _ => null,
        };
        if (set is not null)
        {
            position += 2;
            return set;
        }

        return kind is 'p' or 'P' ? ParseProperty(pattern, ref position) : null;
    }

    private static Func<int, bool> ParseProperty(string pattern, ref int position)
    {
        int start = position;
        bool isNegated = pattern[position + 1] == 'P';
        int close = pattern.IndexOf('}', position);
        if (position + 2 >= pattern.Length || pattern[position + 2] != '{' || close < 0)
            throw new RegexSyntaxException("a property is written \\p{Name}", start);
        string name = pattern[(position + 3)..close];
        if (name.StartsWith('^'))
        {
            isNegated = !isNegated;
            name = name[1..];
        }

        position = close + 1;
        Func<int, bool> set = UnicodeProperties.Find(name)
            ?? throw new RegexSyntaxException($"the property \\p{{{name}}} is not known; known are {UnicodeProperties.Known}", start);
        return isNegated ? c => !set(c) : set;
    }

    /// <summary>One literal or escaped character.</summary>
    private static int ParseCodePoint(string pattern, ref int position)
    {
        int start = position;
        int c = UnicodeClasses.CodePointAt(pattern, position, out int units);
        position += units;
        if (c != '\\')
            return c;
        if (position >= pattern.Length)
            throw new RegexSyntaxException("the pattern ends in a backslash", start);
        c = UnicodeClasses.CodePointAt(pattern, position, out units);
        position += units;
        switch (c)
        {
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'f': return '\f';
            case 'v': return '\v';
            case 'a': return '\a';
            case 'e': return 0x1B;
            case '0': return 0;
            case 'u': return Hex(pattern, ref position, 4, start);
            case 'x' when position < pattern.Length && pattern[position] == '{':
                int close = pattern.IndexOf('}', position);
                if (close < 0)
                    throw new RegexSyntaxException("\\x{ is not closed", start);
                position++;
                int value = Hex(pattern, ref position, close - position, start);
                position++;
                return value;
            case 'x': return Hex(pattern, ref position, 2, start);
            default:
                return c < 128 && char.IsAsciiLetterOrDigit((char)c)
                    ? throw new RegexSyntaxException($"the escape \\{(char)c} is not supported", start)
                    : c;
        }
    }

    private static int Hex(string pattern, ref int position, int digits, int start)
    {
        if (digits is < 1 or > 6 || position + digits > pattern.Length
            || !int.TryParse(pattern.AsSpan(position, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) || value > 0x10FFFF)
            throw new RegexSyntaxException("a hexadecimal escape is damaged", start);
        position += digits;
        return value;
    }
}
