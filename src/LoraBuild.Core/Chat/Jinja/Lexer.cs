// Cuts a template into tokens, with Jinja2's white space control (trim_blocks, lstrip_blocks, `-` and `+`).
using System.Globalization;

namespace LoraBuild.Core.Chat.Jinja;

internal sealed partial class Lexer
{
    private static readonly string[] Operators = ["//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"];

    private readonly string source;
    private readonly JinjaOptions options;
    private readonly List<Token> tokens = [];
    private readonly List<int> lineStarts = [0];
    private int at;

    private Lexer(string source, JinjaOptions options)
    {
        this.source = source;
        this.options = options;
        for (int i = 0; i < source.Length; i++)
        {
            if (source[i] == '\n')
                lineStarts.Add(i + 1);
        }
    }

    /// <exception cref="JinjaException">An unclosed comment, string or raw block, or a character that no token begins with.</exception>
    public static List<Token> Tokenize(string source, JinjaOptions options)
    {
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (source.EndsWith('\n'))
            source = source[..^1];
        Lexer lexer = new(source, options);
        lexer.Run();
        return lexer.tokens;
    }

    private void Run()
    {
        bool isLineStart = true;
        while (at < source.Length)
        {
            int open = FindOpening(at);
            if (open < 0)
            {
                AddData(at, source.Length);
                break;
            }

            char kind = source[open + 1];
            char sign = open + 2 < source.Length ? source[open + 2] : '\0';
            AddData(at, DataEnd(open, kind, sign, isLineStart));
            int start = open;
            at = open + 2 + (sign is '-' or '+' ? 1 : 0);
            if (kind == '#')
                SkipComment(start);
            else if (kind == '{' || !TryRaw(start))
                ReadTag(start, kind == '{');
            isLineStart = at > 0 && source[at - 1] == '\n';
        }

        tokens.Add(Make(TokenKind.End, "", source.Length));
    }

    private int FindOpening(int from)
    {
        for (int i = source.IndexOf('{', from); i >= 0 && i + 1 < source.Length; i = source.IndexOf('{', i + 1))
        {
            if (source[i + 1] is '{' or '%' or '#')
                return i;
        }

        return -1;
    }

    /// <summary>Where the text before a tag ends, after what the tag strips.</summary>
    private int DataEnd(int open, char kind, char sign, bool isLineStart)
    {
        int end = open;
        if (sign == '-')
        {
            while (end > at && PyText.IsSpace(source[end - 1]))
                end--;
            return end;
        }

        if (sign == '+' || kind == '{' || !options.LstripBlocks)
            return end;
        int lineStart = open == at ? -1 : source.LastIndexOf('\n', open - 1, open - at);
        int first = lineStart < 0 ? at : lineStart + 1;
        if (lineStart < 0 && !isLineStart)
            return end;
        for (int i = first; i < open; i++)
        {
            if (!PyText.IsSpace(source[i]))
                return end;
        }

        return first;
    }

    private void AddData(int from, int to)
    {
        if (to > from)
            tokens.Add(Make(TokenKind.Data, source[from..to], from));
        at = Math.Max(at, to);
    }

    private void SkipComment(int start)
    {
        int content = at;
        if (at == source.Length)
            return; // Jinja2 misses the end only when text follows
        int close = source.IndexOf("#}", content, StringComparison.Ordinal);
        if (close < 0)
            throw Fail("Missing end of comment tag", start);
        at = close + 2;
        // `{#-#}` has one sign, which belongs to the beginning.
        AfterBlock(close > content ? source[close - 1] : '\0');
    }

    private void AfterBlock(char sign)
    {
        if (sign == '-')
            SkipSpaces();
        else if (sign != '+' && options.TrimBlocks && at < source.Length && source[at] == '\n')
            at++;
    }

    private void SkipSpaces()
    {
        while (at < source.Length && PyText.IsSpace(source[at]))
            at++;
    }

    /// <summary><c>{% raw %}…{% endraw %}</c>: its text is one piece of data.</summary>
    private bool TryRaw(int start)
    {
        int i = at;
        if (!Word(ref i, "raw"))
            return false;
        bool strips = i < source.Length && source[i] == '-';
        i += strips ? 1 : 0;
        if (string.CompareOrdinal(source, i, "%}", 0, 2) != 0)
            return false;
        at = i + 2;
        if (strips)
            SkipSpaces();
        int textStart = at;
        if (at == source.Length)
            return true; // Jinja2 misses the end only when text follows
        for (int open = source.IndexOf("{%", at, StringComparison.Ordinal); open >= 0; open = source.IndexOf("{%", open + 1, StringComparison.Ordinal))
        {
            int j = open + 2;
            char sign = j < source.Length ? source[j] : '\0';
            j += sign is '-' or '+' ? 1 : 0;
            if (!Word(ref j, "endraw"))
                continue;
            char closing = j < source.Length ? source[j] : '\0';
            int close = closing is '-' or '+' ? j + 1 : j;
            if (string.CompareOrdinal(source, close, "%}", 0, 2) != 0)
                continue;
            AddData(textStart, DataEnd(open, '%', sign, textStart > 0 && source[textStart - 1] == '\n'));
            at = close + 2;
            AfterBlock(closing);
            return true;
        }

        throw Fail("Missing end of raw directive", start);
    }

    private bool Word(ref int i, string word)
    {
        int j = i;
        while (j < source.Length && PyText.IsSpace(source[j]))
            j++;
        if (string.CompareOrdinal(source, j, word, 0, word.Length) != 0)
            return false;
        j += word.Length;
        while (j < source.Length && PyText.IsSpace(source[j]))
            j++;
        i = j;
        return true;
    }

    private void ReadTag(int start, bool isVariable)
    {
        tokens.Add(Make(isVariable ? TokenKind.VariableBegin : TokenKind.BlockBegin, source.Substring(start, 2), start));
        Stack<char> open = new();
        string close = isVariable ? "}}" : "%}";
        while (true)
        {
            SkipSpaces();
            if (at >= source.Length)
                return; // the parser meets the end of the template
            int signs = source[at] == '-' || (source[at] == '+' && !isVariable) ? 1 : 0;
            if (open.Count == 0 && string.CompareOrdinal(source, at + signs, close, 0, 2) == 0)
            {
                tokens.Add(Make(isVariable ? TokenKind.VariableEnd : TokenKind.BlockEnd, close, at));
                char sign = signs > 0 ? source[at] : '\0';
                at += signs + 2;
                if (!isVariable)
                    AfterBlock(sign);
                else if (sign == '-')
                    SkipSpaces();
                return;
            }

            ReadToken(open);
        }
    }

    private void ReadToken(Stack<char> open)
    {
        char c = source[at];
        int start = at;
        if (char.IsAsciiDigit(c))
            ReadNumber();
        else if (c == '_' || char.IsLetter(c) || char.IsSurrogate(c))
        {
            while (at < source.Length && (source[at] == '_' || char.IsLetterOrDigit(source[at]) || char.IsSurrogate(source[at])
                || char.GetUnicodeCategory(source[at]) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark))
                at++;
            tokens.Add(Make(TokenKind.Name, source[start..at], start));
        }
        else if (c is '\'' or '"')
            ReadString(c);
        else
            ReadOperator(open);
    }

    private void ReadOperator(Stack<char> open)
    {
        string? op = Array.Find(Operators, o => string.CompareOrdinal(source, at, o, 0, o.Length) == 0)
            ?? throw Fail($"unexpected char {PyRepr.Repr(char.IsSurrogatePair(source, Math.Min(at, source.Length - 2)) ? source.Substring(at, 2) : source[at].ToString())} at {at}", at);
        switch (op)
        {
            case "(" or "[" or "{":
                open.Push(op == "(" ? ')' : op == "[" ? ']' : '}');
                break;
            case ")" or "]" or "}":
                if (open.Count == 0)
                    throw Fail($"unexpected '{op}'", at);
                char expected = open.Pop();
                if (expected != op[0])
                    throw Fail($"unexpected '{op}', expected '{expected}'", at);
                break;
        }

        tokens.Add(Make(TokenKind.Operator, op, at));
        at += op.Length;
    }

    private Token Make(TokenKind kind, string text, int position)
    {
        (int line, int column) = Place(position);
        return new(kind, text, line, column);
    }

    private (int Line, int Column) Place(int position)
    {
        int line = lineStarts.BinarySearch(position);
        line = line < 0 ? ~line - 1 : line;
        return (line + 1, position - lineStarts[line] + 1);
    }

    private JinjaException Fail(string message, int position)
    {
        (int line, int column) = Place(position);
        return new JinjaException(JinjaErrorKind.TemplateSyntaxError, message).At(line, column);
    }
}
