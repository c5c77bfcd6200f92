// Numbers and strings as Python and Jinja2 write them.
using System.Globalization;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal sealed partial class Lexer
{
    private void ReadNumber()
    {
        int start = at;
        if (source[at] == '0' && at + 2 < source.Length && char.ToLowerInvariant(source[at + 1]) is 'x' or 'o' or 'b')
        {
            char radix = char.ToLowerInvariant(source[at + 1]);
            int end = at + 2;
            while (end < source.Length && (IsDigitOf(radix, source[end]) || (source[end] == '_' && end + 1 < source.Length && IsDigitOf(radix, source[end + 1]))))
                end++;
            if (end > at + 2)
            {
                at = end;
                tokens.Add(Make(TokenKind.Integer, source[start..at], start));
                return;
            }
        }

        int digitsEnd = Digits(at);
        bool isAfterPoint = start > 0 && source[start - 1] == '.';
        int fraction = digitsEnd < source.Length && source[digitsEnd] == '.' ? Digits(digitsEnd + 1) : -1;
        int mantissaEnd = fraction > digitsEnd + 1 ? fraction : digitsEnd;
        int exponentEnd = -1;
        if (mantissaEnd < source.Length && source[mantissaEnd] is 'e' or 'E')
        {
            int digits = mantissaEnd + 1;
            if (digits < source.Length && source[digits] is '+' or '-')
                digits++;
            int end = Digits(digits);
            exponentEnd = end > digits ? end : -1;
        }

        int floatEnd = exponentEnd > 0 ? exponentEnd : mantissaEnd > digitsEnd ? mantissaEnd : -1;
        if (floatEnd > 0 && !isAfterPoint)
        {
            at = floatEnd;
            tokens.Add(Make(TokenKind.Float, source[start..at], start));
            return;
        }

        // A leading zero stands alone: "01" is two integers.
        at = source[start] == '0' ? ZerosEnd(start) : digitsEnd;
        tokens.Add(Make(TokenKind.Integer, source[start..at], start));
    }

    /// <summary>End of digits with single underscores between them.</summary>
    private int Digits(int i)
    {
        int end = i;
        while (end < source.Length && (char.IsAsciiDigit(source[end]) || (source[end] == '_' && end > i && end + 1 < source.Length && char.IsAsciiDigit(source[end + 1]))))
            end++;
        return end;
    }

    private int ZerosEnd(int i)
    {
        int end = i + 1;
        while (end < source.Length && (source[end] == '0' || (source[end] == '_' && end + 1 < source.Length && source[end + 1] == '0')))
            end++;
        return end;
    }

    private static bool IsDigitOf(char radix, char c) => radix switch
    {
        'x' => char.IsAsciiHexDigit(c),
        'o' => c is >= '0' and <= '7',
        _ => c is '0' or '1',
    };

    private void ReadString(char quote)
    {
        int start = at;
        int end = at + 1;
        while (end < source.Length && source[end] != quote)
            end += source[end] == '\\' ? 2 : 1;
        if (end >= source.Length)
            throw Fail($"unexpected char {PyRepr.Repr(quote.ToString())} at {start}", start);
        at = end + 1;
        tokens.Add(Make(TokenKind.String, Unescape(source[(start + 1)..end], start), start));
    }

    /// <summary>Python's escapes; an unknown one stays as written.</summary>
    private string Unescape(string text, int start)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
            return text;
        StringBuilder result = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                result.Append(text[i]);
                continue;
            }

            char c = text[++i];
            switch (c)
            {
                case '\n': break;
                case '\\' or '\'' or '"': result.Append(c); break;
                case 'n': result.Append('\n'); break;
                case 't': result.Append('\t'); break;
                case 'r': result.Append('\r'); break;
                case 'a': result.Append('\a'); break;
                case 'b': result.Append('\b'); break;
                case 'f': result.Append('\f'); break;
                case 'v': result.Append('\v'); break;
                case 'x' or 'u' or 'U': i = AppendHex(result, text, i, start); break;
                case >= '0' and <= '7':
                    int code = 0;
                    int octalEnd = Math.Min(text.Length, i + 3);
                    while (i < octalEnd && text[i] is >= '0' and <= '7')
                        code = (code * 8) + text[i++] - '0';
                    i--;
                    result.Append((char)code);
                    break;
                default: result.Append('\\').Append(c); break;
            }
        }

        return result.ToString();
    }

    private int AppendHex(StringBuilder result, string text, int i, int start)
    {
        int digits = text[i] == 'x' ? 2 : text[i] == 'u' ? 4 : 8;
        if (i + 1 + digits > text.Length || !uint.TryParse(text.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint code) || code > 0x10FFFF)
            throw Fail($"truncated \\{text[i]} escape in a string", start);
        result.Append(code >= 0x10000 ? char.ConvertFromUtf32((int)code) : ((char)code).ToString());
        return i + digits;
    }
}
