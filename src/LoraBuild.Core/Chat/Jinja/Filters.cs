// The filters by name. Text filters are in TextFilters, those over sequences in SequenceFilters.
using System.Collections.Frozen;
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal static class Filters
{
    private static readonly FrozenDictionary<string, Func<Runtime, Arguments, object?>> All = new Dictionary<string, Func<Runtime, Arguments, object?>>
    {
        ["abs"] = (_, a) => Abs(a.Bind("abs", 1, "x")[0]),
        ["attr"] = (_, a) => Attr(a.Bind("attr", 2, "obj", "name")),
        ["batch"] = SequenceFilters.Batch,
        ["capitalize"] = (_, a) => PyCase.Capitalize(LettersOf(a, "capitalize")),
        ["center"] = TextFilters.Center,
        ["count"] = (_, a) => Length(a),
        ["d"] = (_, a) => Default(a),
        ["default"] = (_, a) => Default(a),
        ["dictsort"] = SequenceFilters.DictSort,
        ["e"] = (_, a) => new Markup(HtmlText.Escape(a.Bind("escape", 1, "s")[0])),
        ["escape"] = (_, a) => new Markup(HtmlText.Escape(a.Bind("escape", 1, "s")[0])),
        ["filesizeformat"] = NumberFilters.FileSize,
        ["first"] = SequenceFilters.First,
        ["float"] = NumberFilters.Float,
        ["forceescape"] = (_, a) => new Markup(HtmlText.EscapeText(TextOf(a, "forceescape"))),
        ["format"] = (_, a) => PyPercentFormat.Format(PyRepr.Str(a.Positional[0]), a.Named.Count > 0 ? ToDict(a) : new PyTuple(a.Positional[1..])),
        ["groupby"] = SequenceFilters.GroupBy,
        ["indent"] = TextFilters.Indent,
        ["int"] = NumberFilters.Int,
        ["items"] = SequenceFilters.Items,
        ["join"] = SequenceFilters.Join,
        ["last"] = SequenceFilters.Last,
        ["length"] = (_, a) => Length(a),
        ["list"] = (_, a) => new PyList([.. PyOps.Iterate(a.Bind("list", 1, "value")[0])]),
        ["lower"] = (_, a) => PyCase.Lower(LettersOf(a, "lower")),
        ["map"] = SequenceFilters.Map,
        ["max"] = (r, a) => SequenceFilters.Extreme(r, a, ">"),
        ["min"] = (r, a) => SequenceFilters.Extreme(r, a, "<"),
        ["pprint"] = (_, a) => PyRepr.Repr(a.Bind("pprint", 1, "value")[0]),
        ["random"] = SequenceFilters.First, // a template's output must not change from run to run: always the first
        ["reject"] = (r, a) => SequenceFilters.Select(r, a, isKept: false, byAttribute: false),
        ["rejectattr"] = (r, a) => SequenceFilters.Select(r, a, isKept: false, byAttribute: true),
        ["replace"] = TextFilters.Replace,
        ["reverse"] = SequenceFilters.Reverse,
        ["round"] = NumberFilters.Round,
        ["safe"] = (_, a) => new Markup(TextOf(a, "safe")),
        ["select"] = (r, a) => SequenceFilters.Select(r, a, isKept: true, byAttribute: false),
        ["selectattr"] = (r, a) => SequenceFilters.Select(r, a, isKept: true, byAttribute: true),
        ["slice"] = SequenceFilters.Slice,
        ["sort"] = SequenceFilters.Sort,
        ["string"] = (_, a) => a.Bind("string", 1, "object")[0] is Markup m ? m : TextOf(a, "string"),
        ["striptags"] = TextFilters.StripTags,
        ["sum"] = SequenceFilters.Sum,
        ["title"] = TextFilters.Title,
        ["tojson"] = (_, a) => ToJson(a),
        ["trim"] = TextFilters.Trim,
        ["truncate"] = TextFilters.Truncate,
        ["unique"] = SequenceFilters.Unique,
        ["upper"] = (_, a) => PyCase.Upper(LettersOf(a, "upper")),
        ["urlencode"] = TextFilters.UrlEncode,
        ["urlize"] = UrlizeFilter.Apply,
        ["wordcount"] = TextFilters.WordCount,
        ["wordwrap"] = TextFilters.WordWrap,
        ["xmlattr"] = TextFilters.XmlAttributes,
    }.ToFrozenDictionary();

    public static Func<Runtime, Arguments, object?>? Find(string name) => All.GetValueOrDefault(name);

    /// <summary>The only argument as text; its length is charged.</summary>
    public static string TextOf(Arguments arguments, string filter)
    {
        string text = PyRepr.Str(arguments.Bind(filter, 1, "value")[0]);
        Budget.Current.Text(text.Length);
        return text;
    }

    /// <summary>As <see cref="TextOf"/>, for filters that look at each character.</summary>
    private static string LettersOf(Arguments arguments, string filter)
    {
        string text = TextOf(arguments, filter);
        Budget.Current.Characters(text.Length * 4L);
        return text;
    }

    public static int IntOf(object? value)
    {
        PyOps.ThrowIfUndefined(value);
        return PyOps.Integer(value) is BigInteger i
            ? (int)BigInteger.Clamp(i, int.MinValue, int.MaxValue)
            : throw PyOps.Type($"'{PyOps.TypeName(value)}' object cannot be interpreted as an integer");
    }

    private static object Abs(object? value)
    {
        PyOps.ThrowIfUndefined(value);
        return value is double d ? Math.Abs(d) : BigInteger.Abs(PyOps.Integer(value) ?? throw PyOps.Type($"bad operand type for abs(): '{PyOps.TypeName(value)}'"));
    }

    private static object? Attr(object?[] bound)
    {
        string name = PyRepr.Str(bound[1]);
        return PyMembers.TryAttribute(bound[0], name, out object? value) ? value : Undefined.OfMember(bound[0], name);
    }

    private static BigInteger Length(Arguments arguments)
    {
        object? value = arguments.Bind("length", 1, "obj")[0];
        return new(PyOps.Count(value) ?? throw PyOps.Type($"object of type '{PyOps.TypeName(value)}' has no len()"));
    }

    private static object? Default(Arguments arguments)
    {
        object?[] bound = arguments.Bind("default", 1, "value", "default_value", "boolean");
        bool catchesFalse = PyOps.IsTrue(Arguments.Or(bound[2], false));
        return bound[0] is Undefined || (catchesFalse && !PyOps.IsTrue(bound[0])) ? Arguments.Or(bound[1], "") : bound[0];
    }

    private static PyDict ToDict(Arguments arguments)
    {
        PyDict dict = new();
        foreach ((string name, object? value) in arguments.Named)
            dict.Set(name, value);
        return dict;
    }

    /// <summary>As transformers overrides it: nothing is escaped for HTML, keys keep their order.</summary>
    private static string ToJson(Arguments arguments)
    {
        object?[] bound = arguments.Bind("tojson", 1, "x", "ensure_ascii", "indent", "separators", "sort_keys");
        object? level = Arguments.Or(bound[2], null);
        string? indent = level switch
        {
            null => null,
            string s => s,
            _ => new string(' ', Math.Clamp(IntOf(level), 0, 10_000)),
        };
        (string item, string key) = (indent is null ? ", " : ",", ": ");
        if (Arguments.Or(bound[3], null) is object separators)
        {
            object?[] pair = [.. PyOps.Iterate(separators)];
            if (pair.Length != 2)
                throw new JinjaException(JinjaErrorKind.ValueError, "separators must be a pair of texts");
            (item, key) = (PyRepr.Str(pair[0]), PyRepr.Str(pair[1]));
        }

        return PyJson.Dump(bound[0], indent, item, key, PyOps.IsTrue(Arguments.Or(bound[1], false)), PyOps.IsTrue(Arguments.Or(bound[4], false)));
    }
}
