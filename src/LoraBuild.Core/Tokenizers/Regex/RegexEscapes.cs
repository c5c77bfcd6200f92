// Reads one character of a pattern, written as itself or as an escape.
using System.Globalization;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Regex;

internal static class RegexEscapes
{
    /// <summary>A literal or an escaped character; <paramref name="position"/> ends behind it.</summary>
    /// <exception cref="RegexSyntaxException">The escape is damaged, or is one that this engine does not have.</exception>
    public static int ParseCodePoint(string pattern, ref int position, bool isInClass)
    {
        int start = position;
        int c = Take(pattern, ref position);
        if (c != '\\')
            return c;
        if (position >= pattern.Length)
            throw new RegexSyntaxException("the pattern ends in a backslash", start);
        c = Take(pattern, ref position);
        switch (c)
        {
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'f': return '\f';
            case 'v': return '\v';
            case 'a': return '\a';
            case 'e': return 0x1B;
            case 'b' when isInClass: return '\b';
            case 'u': return Number(pattern, ref position, 4, 16, start);
            case 'x' when Opens(pattern, ref position, out int digits): return Closed(Number(pattern, ref position, digits, 16, start), ref position);
            case 'o' when Opens(pattern, ref position, out int digits): return Closed(Number(pattern, ref position, digits, 8, start), ref position);
            case 'x': return OneByte(Number(pattern, ref position, 2, 16, start), start);
            case >= '0' and <= '7' when c == '0' || isInClass:
                position--;
                return OneByte(Number(pattern, ref position, OctalDigits(pattern, position), 8, start), start);
            case >= '1' and <= '9':
                throw new RegexSyntaxException("back references are not supported", start);
            default:
                return c < 128 && char.IsAsciiLetterOrDigit((char)c)
                    ? throw new RegexSyntaxException($"the escape \\{(char)c} is not supported", start)
                    : c;
        }
    }

    private static int Take(string pattern, ref int position)
    {
        int c = UnicodeClasses.CodePointAt(pattern, position, out int units);
        position += units;
        return c;
    }

    /// <summary>Steps over an opening brace and counts what stands before the closing one.</summary>
    private static bool Opens(string pattern, ref int position, out int digits)
    {
        int close = position < pattern.Length && pattern[position] == '{' ? pattern.IndexOf('}', position) : -1;
        digits = close - position - 1;
        position += close < 0 ? 0 : 1;
        return close >= 0;
    }

    private static int Closed(int value, ref int position)
    {
        position++;
        return value;
    }

    private static int OctalDigits(string pattern, int position)
    {
        int count = 0;
        while (count < 3 && position + count < pattern.Length && pattern[position + count] is >= '0' and <= '7')
            count++;
        return count;
    }

    /// <summary>Such an escape is a byte of UTF-8, so from 0x80 on it is not a character.</summary>
    private static int OneByte(int value, int start) =>
        value < 0x80 ? value : throw new RegexSyntaxException($"this escape is one byte; write \\x{{{value:X}}} for the character", start);

    private static int Number(string pattern, ref int position, int digits, int numberBase, int start)
    {
        long value = 0;
        bool isGood = digits is >= 1 and <= 8 && position + digits <= pattern.Length;
        for (int i = 0; isGood && i < digits; i++)
        {
            int digit = int.TryParse(pattern.AsSpan(position + i, 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int d) ? d : 99;
            isGood = digit < numberBase;
            value = (value * numberBase) + digit;
        }

        if (!isGood || value > 0x10FFFF || value is >= 0xD800 and <= 0xDFFF)
            throw new RegexSyntaxException("the number of an escape is damaged or not that of a character", start);
        position += digits;
        return (int)value;
    }
}
