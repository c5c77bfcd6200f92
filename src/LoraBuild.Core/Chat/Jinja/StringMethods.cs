// The methods of Python's str.
using System.Numerics;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class StringMethods
{
    private static readonly Dictionary<string, Func<Runtime, string, Arguments, object?>> Methods = new(StringComparer.Ordinal)
    {
        ["strip"] = (_, s, a) => Strip(s, a, "strip", true, true),
        ["lstrip"] = (_, s, a) => Strip(s, a, "lstrip", true, false),
        ["rstrip"] = (_, s, a) => Strip(s, a, "rstrip", false, true),
        ["upper"] = (_, s, a) => Plain(a, "upper", s, PyCase.Upper),
        ["lower"] = (_, s, a) => Plain(a, "lower", s, PyCase.Lower),
        ["title"] = (_, s, a) => Plain(a, "title", s, PyCase.Title),
        ["capitalize"] = (_, s, a) => Plain(a, "capitalize", s, PyCase.Capitalize),
        ["swapcase"] = (_, s, a) => Plain(a, "swapcase", s, PyCase.SwapCase),
        ["casefold"] = (_, s, a) => Plain(a, "casefold", s, PyCase.Fold),
        ["startswith"] = (_, s, a) => HasAffix(s, a, "startswith", static (t, p) => t.StartsWith(p, StringComparison.Ordinal)),
        ["endswith"] = (_, s, a) => HasAffix(s, a, "endswith", static (t, p) => t.EndsWith(p, StringComparison.Ordinal)),
        ["removeprefix"] = (_, s, a) => NeedText(a.Bind("removeprefix", 1, "prefix")[0]) is var p && s.StartsWith(p, StringComparison.Ordinal) ? s[p.Length..] : s,
        ["removesuffix"] = (_, s, a) => NeedText(a.Bind("removesuffix", 1, "suffix")[0]) is var p && s.EndsWith(p, StringComparison.Ordinal) ? s[..^p.Length] : s,
        ["split"] = (_, s, a) => Split(s, a, "split", fromRight: false),
        ["rsplit"] = (_, s, a) => Split(s, a, "rsplit", fromRight: true),
        ["splitlines"] = (_, s, a) => Texts(PyText.SplitLines(s, PyOps.IsTrue(Arguments.Or(a.Bind("splitlines", 0, "keepends")[0], false)))),
        ["partition"] = (_, s, a) => Partition(s, a, fromRight: false),
        ["rpartition"] = (_, s, a) => Partition(s, a, fromRight: true),
        ["replace"] = (_, s, a) =>
        {
            object?[] bound = a.Bind("replace", 2, "old", "new", "count");
            return PyText.Replace(s, NeedText(bound[0]), NeedText(bound[1]), NeedInt(Arguments.Or(bound[2], BigInteger.MinusOne)));
        },
        ["join"] = (_, s, a) => Join(s, a.Bind("join", 1, "iterable")[0]),
        ["find"] = (_, s, a) => Find(s, a, "find", fromRight: false),
        ["rfind"] = (_, s, a) => Find(s, a, "rfind", fromRight: true),
        ["index"] = (_, s, a) => Found(Find(s, a, "index", fromRight: false)),
        ["rindex"] = (_, s, a) => Found(Find(s, a, "rindex", fromRight: true)),
        ["count"] = (_, s, a) => CountOf(s, a),
        ["center"] = (_, s, a) => Pad(s, a, "center"),
        ["ljust"] = (_, s, a) => Pad(s, a, "ljust"),
        ["rjust"] = (_, s, a) => Pad(s, a, "rjust"),
        ["zfill"] = (_, s, a) => ZeroFill(s, NeedInt(a.Bind("zfill", 1, "width")[0])),
        ["expandtabs"] = (_, s, a) => ExpandTabs(s, NeedInt(Arguments.Or(a.Bind("expandtabs", 0, "tabsize")[0], new BigInteger(8)))),
        ["encode"] = (_, s, a) => Encode(s, a),
        ["format"] = PyStringFormat.Format,
        ["format_map"] = (runtime, s, a) => PyStringFormat.Format(runtime, s, new Arguments([], MapToNamed(a.Bind("format_map", 1, "mapping")[0]))),
        ["translate"] = (_, s, a) => Translate(s, a.Bind("translate", 1, "table")[0]),
        ["isdigit"] = (_, s, _) => All(s, r => CharacterClass.IsDigit(r)),
        ["isdecimal"] = (_, s, _) => All(s, r => CharacterClass.IsDecimal(r)),
        ["isnumeric"] = (_, s, _) => All(s, r => CharacterClass.IsNumeric(r)),
        ["isalpha"] = (_, s, _) => All(s, Rune.IsLetter),
        ["isalnum"] = (_, s, _) => All(s, CharacterClass.IsAlphanumeric),
        ["isspace"] = (_, s, _) => s.Length > 0 && s.All(PyText.IsSpace),
        ["isascii"] = (_, s, _) => s.All(char.IsAscii),
        ["isprintable"] = (_, s, _) => s.EnumerateRunes().All(r => PyText.IsPrintable(r.Value)),
        ["isidentifier"] = (_, s, _) => s.Length > 0 && !char.IsDigit(s[0]) && s.EnumerateRunes().All(r => r.Value == '_' || Rune.IsLetterOrDigit(r)),
        ["isupper"] = (_, s, _) => s.EnumerateRunes().Any(PyCase.IsUpper) && !s.EnumerateRunes().Any(r => PyCase.IsCased(r) && !PyCase.IsUpper(r)),
        ["islower"] = (_, s, _) => s.EnumerateRunes().Any(PyCase.IsLower) && !s.EnumerateRunes().Any(r => PyCase.IsCased(r) && !PyCase.IsLower(r)),
        ["istitle"] = (_, s, _) => s.EnumerateRunes().Any(PyCase.IsCased) && s == PyCase.Title(s),
    };

    /// <summary>The method as a function of its own, or null when str has none of that name.</summary>
    public static PyFunction? Bind(string text, string name) => Methods.TryGetValue(name, out Func<Runtime, string, Arguments, object?>? method)
        ? new PyFunction(name, (runtime, arguments) =>
        {
            // Questions such as isdigit() look at each character.
            runtime.Budget.Step(1 + (name.StartsWith("is", StringComparison.Ordinal) ? text.Length : text.Length >> 4));
            return method(runtime, text, arguments);
        })
        : null;

    public static string Join(string separator, object? items)
    {
        List<string> parts = [];
        long length = 0;
        foreach (object? item in PyOps.Iterate(items))
        {
            string part = PyOps.Text(item) ?? throw PyOps.Type($"sequence item {parts.Count}: expected str instance, {PyOps.TypeName(item)} found");
            parts.Add(part);
            length += part.Length + separator.Length;
            Budget.Current.Limit(length);
            Budget.Current.Step(1 + ((part.Length + separator.Length) >> 4));
        }

        return string.Join(separator, parts);
    }

    public static string Center(string text, long width, string fill = " ")
    {
        long missing = width - PyText.Length(text);
        if (missing <= 0)
            return text;
        Budget.Current.Text(width * fill.Length);
        // Python puts the odd blank to the left when the width is odd.
        int left = (int)((missing / 2) + (missing & width & 1));
        return Repeat(fill, left) + text + Repeat(fill, (int)missing - left);
    }

    private static string Repeat(string fill, int count) => fill.Length == 1 ? new string(fill[0], count) : string.Concat(Enumerable.Repeat(fill, count));

    private static PyList Texts(IEnumerable<string> parts) => new([.. parts]);

    private static string NeedText(object? value) => PyOps.Text(value) ?? throw PyOps.Type($"must be str, not {PyOps.TypeName(value)}");

    private static int NeedInt(object? value) => PyOps.Integer(value) is BigInteger i
        ? (int)BigInteger.Clamp(i, int.MinValue, int.MaxValue)
        : throw PyOps.Type($"'{PyOps.TypeName(value)}' object cannot be interpreted as an integer");

    private static string Plain(Arguments arguments, string name, string text, Func<string, string> map)
    {
        arguments.Bind(name, 0);
        Budget.Current.Characters(text.Length * 4L);
        return map(text);
    }

    private static bool All(string text, Func<Rune, bool> holds) => text.Length > 0 && text.EnumerateRunes().All(holds);

    private static string Strip(string text, Arguments arguments, string name, bool atStart, bool atEnd)
    {
        object? characters = Arguments.Or(arguments.Bind(name, 0, "chars")[0], null);
        if (characters is not null && PyOps.Text(characters) is null)
            throw PyOps.Type($"{name} arg must be None or str");
        return PyText.Trim(text, PyOps.Text(characters), atStart, atEnd);
    }

    private static bool HasAffix(string text, Arguments arguments, string name, Func<string, string, bool> test)
    {
        object?[] bound = arguments.Bind(name, 1, "prefix", "start", "end");
        (int start, int end) = Window(text, bound[1], bound[2]);
        if (start > end)
            return false;
        string part = text[start..end];
        if (PyOps.Text(bound[0]) is string affix)
            return Metered(test, part, affix);
        if (bound[0] is PyTuple tuple)
            return tuple.Items.Any(i => Metered(test, part, PyOps.Text(i) ?? throw PyOps.Type($"tuple for {name} must only contain str, not {PyOps.TypeName(i)}")));
        PyOps.ThrowIfUndefined(bound[0]);
        throw PyOps.Type($"{name} first arg must be str or a tuple of str, not {PyOps.TypeName(bound[0])}");
    }

    private static bool Metered(Func<string, string, bool> test, string text, string affix)
    {
        Budget.Current.Scan(Math.Min(text.Length, affix.Length));
        return test(text, affix);
    }

    /// <summary>UTF-16 bounds of the slice that start and end (code points) give.</summary>
    private static (int Start, int End) Window(string text, object? start, object? end)
    {
        if (Arguments.Or(start, null) is null && Arguments.Or(end, null) is null)
            return (0, text.Length);
        int length = PyText.Length(text);
        return (PyText.Utf16Index(text, Resolve(start, 0, length)), PyText.Utf16Index(text, Resolve(end, length, length)));

        static int Resolve(object? index, int fallback, int length)
        {
            if (Arguments.Or(index, null) is not object given)
                return fallback;
            int at = NeedInt(given);
            return at < 0 ? Math.Max(0, at + length) : Math.Min(at, length + 1);
        }
    }

    private static PyList Split(string text, Arguments arguments, string name, bool fromRight)
    {
        object?[] bound = arguments.Bind(name, 0, "sep", "maxsplit");
        int limit = NeedInt(Arguments.Or(bound[1], BigInteger.MinusOne));
        if (Arguments.Or(bound[0], null) is null)
        {
            if (!fromRight || limit < 0)
                return Texts(PyText.SplitWhitespace(text, limit));
            return Texts(SplitWhitespaceFromRight(text, limit));
        }

        string separator = NeedText(bound[0]);
        if (separator.Length == 0)
            throw new JinjaException(JinjaErrorKind.ValueError, "empty separator");
        return Texts(fromRight ? PySearch.SplitFromRight(text, separator, limit) : PySearch.Split(text, separator, limit));
    }

    private static List<string> SplitWhitespaceFromRight(string text, int limit)
    {
        List<string> words = [];
        int end = text.Length;
        while (true)
        {
            while (end > 0 && PyText.IsSpace(text[end - 1]))
                end--;
            if (end == 0)
                break;
            int start = words.Count == limit ? 0 : end;
            while (start > 0 && !PyText.IsSpace(text[start - 1]))
                start--;
            Budget.Current.Step(2);
            words.Add(words.Count == limit ? text[..end] : text[start..end]);
            end = start;
        }

        words.Reverse();
        return words;
    }

    private static PyTuple Partition(string text, Arguments arguments, bool fromRight)
    {
        string separator = NeedText(arguments.Bind("partition", 1, "sep")[0]);
        if (separator.Length == 0)
            throw new JinjaException(JinjaErrorKind.ValueError, "empty separator");
        int at = fromRight ? PySearch.LastIndexOf(text, separator, text.Length) : PySearch.IndexOf(text, separator);
        if (at < 0)
            return fromRight ? new PyTuple("", "", text) : new PyTuple(text, "", "");
        return new PyTuple(text[..at], separator, text[(at + separator.Length)..]);
    }

    private static BigInteger Find(string text, Arguments arguments, string name, bool fromRight)
    {
        object?[] bound = arguments.Bind(name, 1, "sub", "start", "end");
        string wanted = NeedText(bound[0]);
        (int start, int end) = Window(text, bound[1], bound[2]);
        if (start > end)
            return BigInteger.MinusOne;
        string part = text[start..end];
        int at = fromRight ? PySearch.LastIndexOf(part, wanted, part.Length) : PySearch.IndexOf(part, wanted);
        return at < 0 ? BigInteger.MinusOne : PyText.Length(text[..(start + at)]);
    }

    private static BigInteger Found(BigInteger at) => at.Sign >= 0 ? at : throw new JinjaException(JinjaErrorKind.ValueError, "substring not found");

    private static BigInteger CountOf(string text, Arguments arguments)
    {
        object?[] bound = arguments.Bind("count", 1, "sub", "start", "end");
        string wanted = NeedText(bound[0]);
        (int start, int end) = Window(text, bound[1], bound[2]);
        if (start > end)
            return BigInteger.Zero;
        string part = text[start..end];
        return wanted.Length == 0 ? PyText.Length(part) + 1 : PySearch.Count(part, wanted);
    }

    private static string Pad(string text, Arguments arguments, string name)
    {
        object?[] bound = arguments.Bind(name, 1, "width", "fillchar");
        int width = NeedInt(bound[0]);
        string fill = NeedText(Arguments.Or(bound[1], " "));
        if (PyText.Length(fill) != 1)
            throw PyOps.Type("The fill character must be exactly one character long");
        if (name == "center")
            return Center(text, width, fill);
        int missing = Math.Max(0, width - PyText.Length(text));
        Budget.Current.Text((long)missing * fill.Length);
        return name == "ljust" ? text + Repeat(fill, missing) : Repeat(fill, missing) + text;
    }

    private static string ZeroFill(string text, int width)
    {
        int missing = Math.Max(0, width - PyText.Length(text));
        Budget.Current.Text(missing);
        return text.StartsWith('-') || text.StartsWith('+') ? text[0] + new string('0', missing) + text[1..] : new string('0', missing) + text;
    }

    private static string ExpandTabs(string text, int size)
    {
        StringBuilder result = new();
        int column = 0;
        foreach (string point in PyText.Split(text))
        {
            if (point == "\t")
            {
                int blanks = size > 0 ? size - (column % size) : 0;
                Budget.Current.Limit((long)result.Length + blanks);
                Budget.Current.Step(1 + (blanks >> 4));
                result.Append(' ', blanks);
                column += blanks;
                continue;
            }

            result.Append(point);
            column = point is "\n" or "\r" ? 0 : column + 1;
        }

        return result.ToString();
    }

    private static PyBytes Encode(string text, Arguments arguments)
    {
        string encoding = NeedText(Arguments.Or(arguments.Bind("encode", 0, "encoding", "errors")[0], "utf-8"));
        return PyCase.Lower(encoding).Replace('_', '-') is "utf-8" or "utf8"
            ? new PyBytes(Encoding.UTF8.GetBytes(text))
            : throw new JinjaException(JinjaErrorKind.LookupError, $"unknown encoding: {encoding}");
    }

    private static List<KeyValuePair<string, object?>> MapToNamed(object? mapping) => mapping is PyDict dict
        ? [.. dict.Entries.Where(e => e.Key is string).Select(e => KeyValuePair.Create((string)e.Key!, e.Value))]
        : throw PyOps.Type($"format_map() argument must be a mapping, not {PyOps.TypeName(mapping)}");

    private static string Translate(string text, object? table)
    {
        StringBuilder result = new();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!PyMembers.TryItem(table, new BigInteger(rune.Value), out object? mapped))
                result.Append(rune.ToString());
            else if (PyOps.Integer(mapped) is BigInteger code)
                result.Append(char.ConvertFromUtf32((int)code));
            else
            {
                Budget.Current.Limit((long)result.Length + (PyOps.Text(mapped)?.Length ?? 0));
                result.Append(PyOps.Text(mapped) ?? "");
            }
            Budget.Current.Limit(result.Length);
            Budget.Current.Step(4 + ((PyOps.Text(mapped)?.Length ?? 0) >> 4));
        }

        return result.ToString();
    }
}
