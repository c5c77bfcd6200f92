// Filters that make text from text.
using System.Globalization;
using System.Numerics;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class TextFilters
{
    public static object? Center(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("center", 1, "value", "width");
        return StringMethods.Center(PyRepr.Str(bound[0]), Filters.IntOf(Arguments.Or(bound[1], new BigInteger(80))));
    }

    public static object? Indent(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("indent", 1, "s", "width", "first", "blank");
        object? width = Arguments.Or(bound[1], new BigInteger(4));
        int blanks = width is string ? 0 : Math.Max(0, Filters.IntOf(width));
        runtime.Budget.Text(blanks);
        string indent = width as string ?? new string(' ', blanks);
        bool indentsBlank = PyOps.IsTrue(Arguments.Or(bound[3], false));
        List<string> lines = PyText.SplitLines(PyRepr.Str(bound[0]) + "\n");
        StringBuilder result = new(PyOps.IsTrue(Arguments.Or(bound[2], false)) ? indent : "");
        for (int i = 0; i < lines.Count; i++)
        {
            string before = i > 0 && (indentsBlank || lines[i].Length > 0) ? indent : "";
            runtime.Budget.Limit((long)result.Length + 1 + before.Length + lines[i].Length);
            runtime.Budget.Step(1 + (before.Length >> 4));
            if (i > 0)
                result.Append('\n').Append(before);
            result.Append(lines[i]);
        }

        runtime.Budget.Text(result.Length);
        return result.ToString();
    }

    public static object? Replace(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("replace", 3, "s", "old", "new", "count");
        object? count = Arguments.Or(bound[3], null);
        return PyText.Replace(PyRepr.Str(bound[0]), PyRepr.Str(bound[1]), PyRepr.Str(bound[2]), count is null ? -1 : Filters.IntOf(count));
    }

    public static object? StripTags(Runtime runtime, Arguments arguments)
    {
        StringBuilder text = new(Filters.TextOf(arguments, "striptags"));
        Remove(text, "<!--", "-->");
        Remove(text, "<", ">");
        runtime.Budget.Characters(text.Length);
        string plain = System.Net.WebUtility.HtmlDecode(text.ToString());
        return string.Join(' ', PyText.SplitWhitespace(plain));
    }

    /// <summary>A capital behind blanks, hyphens and opening brackets; unlike str.title() not behind an apostrophe.</summary>
    public static object? Title(Runtime runtime, Arguments arguments)
    {
        StringBuilder result = new();
        bool isWordStart = true;
        StringBuilder word = new();
        foreach (string point in PyText.Split(Filters.TextOf(arguments, "title")))
        {
            bool isBreak = point is "-" or "(" or "{" or "[" or "<" || PyText.IsSpace(point[0]);
            if (isBreak || isWordStart)
            {
                result.Append(PyCase.Lower(word.ToString()));
                word.Clear();
                result.Append(PyCase.Upper(point));
            }
            else
            {
                word.Append(point);
            }

            isWordStart = isBreak;
        }

        return result.Append(PyCase.Lower(word.ToString())).ToString();
    }

    public static object? Trim(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("trim", 1, "value", "chars");
        string text = PyRepr.Str(bound[0]);
        runtime.Budget.Text(text.Length);
        object? characters = Arguments.Or(bound[1], null);
        if (characters is not null && PyOps.Text(characters) is null)
            throw PyOps.Type("strip arg must be None or str");
        return PyText.Trim(text, PyOps.Text(characters));
    }

    public static object? Truncate(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("truncate", 1, "s", "length", "killwords", "end", "leeway");
        List<string> points = PyText.Split(PyRepr.Str(bound[0]));
        int length = Filters.IntOf(Arguments.Or(bound[1], new BigInteger(255)));
        string end = PyRepr.Str(Arguments.Or(bound[3], "..."));
        int leeway = Arguments.Or(bound[4], null) is object given ? Filters.IntOf(given) : 5;
        if (length < PyText.Length(end))
            throw new JinjaException(JinjaErrorKind.AssertionError, $"expected length >= {PyText.Length(end)}, got {length}");
        if (leeway < 0)
            throw new JinjaException(JinjaErrorKind.AssertionError, $"expected leeway >= 0, got {leeway}");
        if (points.Count <= (long)length + leeway)
            return string.Concat(points);
        string cut = string.Concat(points.Take(Math.Max(0, length - PyText.Length(end))));
        if (!PyOps.IsTrue(Arguments.Or(bound[2], false)) && cut.LastIndexOf(' ') is >= 0 and int at)
            cut = cut[..at];
        return cut + end;
    }

    public static object? UrlEncode(Runtime runtime, Arguments arguments)
    {
        object? value = arguments.Bind("urlencode", 1, "value")[0];
        if (PyOps.Text(value) is not null || PyOps.TryIterate(value) is null)
            return Quote(PyRepr.Str(value), isQuery: false);
        IEnumerable<object?> pairs = value is PyDict dict ? new PyDictView(dict, DictViewKind.Items).Items() : PyOps.Iterate(value);
        return string.Join('&', pairs.Select(p =>
        {
            object?[] pair = [.. PyOps.Iterate(p)];
            return pair.Length == 2
                ? Quote(PyRepr.Str(pair[0]), isQuery: true) + "=" + Quote(PyRepr.Str(pair[1]), isQuery: true)
                : throw new JinjaException(JinjaErrorKind.ValueError, $"expected pairs, got {pair.Length} values");
        }));
    }

    /// <summary>Runs of letters, numbers and underscores.</summary>
    public static object? WordCount(Runtime runtime, Arguments arguments)
    {
        string text = Filters.TextOf(arguments, "wordcount");
        runtime.Budget.Characters(text.Length);
        int count = 0;
        bool isInWord = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isWord = rune.Value == '_' || CharacterClass.IsAlphanumeric(rune);
            count += isWord && !isInWord ? 1 : 0;
            isInWord = isWord;
        }

        return new BigInteger(count);
    }

    public static object? WordWrap(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("wordwrap", 1, "s", "width", "break_long_words", "wrapstring", "break_on_hyphens");
        int width = Filters.IntOf(Arguments.Or(bound[1], new BigInteger(79)));
        if (width <= 0)
            throw new JinjaException(JinjaErrorKind.ValueError, $"invalid width {width} (must be > 0)");
        bool breaksWords = PyOps.IsTrue(Arguments.Or(bound[2], true));
        string separator = PyRepr.Str(Arguments.Or(bound[3], "\n"));
        bool breaksHyphens = PyOps.IsTrue(Arguments.Or(bound[4], true));
        IEnumerable<string> lines = PyText.SplitLines(PyRepr.Str(bound[0])).Select(line => StringMethods.Join(separator, new PyList([.. Wrap(line, width, breaksWords, breaksHyphens)])));
        return StringMethods.Join(separator, new PyList([.. lines]));
    }

    public static object? XmlAttributes(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("xmlattr", 1, "d", "autospace");
        if (bound[0] is not PyDict dict)
            throw PyOps.Type("xmlattr needs a mapping");
        StringBuilder result = new();
        foreach ((object? key, object? value) in dict.Entries)
        {
            if (value is null or Undefined)
                continue;
            string name = PyRepr.Str(key);
            runtime.Budget.Characters(name.Length);
            if (name.Any(c => c is ' ' or '\t' or '\n' or '\r' or '\f' or '/' or '>' or '='))
                throw new JinjaException(JinjaErrorKind.ValueError, $"Invalid character in attribute name: {PyRepr.Repr(name)}");
            if (result.Length > 0 || PyOps.IsTrue(Arguments.Or(bound[1], true)))
                result.Append(' ');
            result.Append(CultureInfo.InvariantCulture, $"{HtmlText.EscapeText(name)}=\"{HtmlText.Escape(value)}\"");
            runtime.Budget.Limit(result.Length);
        }

        return new Markup(result.ToString());
    }

    private static void Remove(StringBuilder text, string open, string close)
    {
        string source = text.ToString();
        text.Clear();
        int from = 0;
        for (int start; (start = source.IndexOf(open, from, StringComparison.Ordinal)) >= 0;)
        {
            int end = source.IndexOf(close, start, StringComparison.Ordinal);
            if (end < 0)
                break;
            text.Append(source, from, start - from);
            from = end + close.Length;
        }

        text.Append(source, from, source.Length - from);
    }

    private static string Quote(string text, bool isQuery)
    {
        Budget.Current.Characters(text.Length * 4L);
        StringBuilder result = new();
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' or '~' || (c == '/' && !isQuery))
                result.Append(c);
            else if (c == ' ' && isQuery)
                result.Append('+');
            else
                result.Append('%').Append(Convert.ToHexString([b]));
        }

        Budget.Current.Text(result.Length);
        return result.ToString();
    }

    /// <summary>Greedy filling; blanks at the ends of lines are dropped.</summary>
    private static List<string> Wrap(string line, int width, bool breaksWords, bool breaksHyphens)
    {
        Stack<string> chunks = new(Chunks(line, breaksHyphens).Reverse());
        List<string> result = [];
        StringBuilder current = new();
        int length = 0;
        while (chunks.TryPop(out string? chunk))
        {
            Budget.Current.Step(4 + (chunk.Length >> 4)); // a word longer than a line comes back for each of its lines
            int size = PyText.Length(chunk);
            bool isBlank = PyText.IsSpace(chunk[0]);
            if (isBlank && length == 0 && result.Count > 0)
                continue;
            if (length + size <= width)
            {
                current.Append(chunk);
                length += size;
                continue;
            }

            if (size > width && breaksWords && !isBlank)
            {
                int room = Math.Max(1, width - length);
                int cut = PyText.Utf16Index(chunk, room);
                current.Append(chunk, 0, cut);
                chunks.Push(chunk[cut..]);
            }
            else if (length == 0)
            {
                current.Append(chunk);
            }
            else if (!isBlank)
            {
                chunks.Push(chunk);
            }

            result.Add(PyText.Trim(current.ToString(), atStart: false));
            current.Clear();
            length = 0;
        }

        if (PyText.Trim(current.ToString(), atStart: false) is { Length: > 0 } rest)
            result.Add(rest);
        return result;
    }

    private static IEnumerable<string> Chunks(string line, bool breaksHyphens)
    {
        int start = 0;
        for (int i = 1; i <= line.Length; i++)
        {
            bool isEnd = i == line.Length || PyText.IsSpace(line[i]) != PyText.IsSpace(line[i - 1])
                || (breaksHyphens && line[i - 1] == '-' && i - 1 > start && char.IsLetter(line[i - 2]) && char.IsLetter(line[i]));
            if (!isEnd)
                continue;
            Budget.Current.Step(2 + ((i - start) >> 2));
            yield return line[start..i];
            start = i;
        }
    }
}
