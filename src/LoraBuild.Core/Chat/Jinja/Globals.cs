// What every template can call: range, dict, namespace, cycler, joiner, raise_exception, strftime_now.
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal static class Globals
{
    private const int MaxRange = 100_000; // Jinja2's sandbox

    private static readonly KeyValuePair<string, object?>[] All =
    [
        new("range", new PyFunction("range", (_, a) => Range(a))),
        new("dict", new PyFunction("dict", (_, a) => Dict(a))),
        new("namespace", new PyFunction("namespace", (_, a) => Namespace(a))),
        new("cycler", new PyFunction("cycler", (_, a) => new Cycler(a.Positional))),
        new("joiner", new PyFunction("joiner", (_, a) => new Joiner(PyRepr.Str(Arguments.Or(a.Bind("joiner", 0, "sep")[0], ", "))))),
        new("lipsum", new PyFunction("lipsum", (_, _) => throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, "lipsum gives random text; it is not available here"))),
        new("raise_exception", new PyFunction("raise_exception", (_, a) => throw new JinjaException(JinjaErrorKind.TemplateError, PyRepr.Str(a.Bind("raise_exception", 1, "message")[0])))),
        new("strftime_now", new PyFunction("strftime_now", StrftimeNow)),
    ];

    public static void AddTo(Scope scope)
    {
        foreach ((string name, object? value) in All)
            scope.Set(name, value);
    }

    private static PyRange Range(Arguments arguments)
    {
        BigInteger[] bounds = [.. arguments.Bind("range", 1, "start", "stop", "step").Where(b => !ReferenceEquals(b, Arguments.Missing)).Select(Bound)];
        PyRange range = bounds.Length switch
        {
            1 => new PyRange(BigInteger.Zero, bounds[0], BigInteger.One),
            2 => new PyRange(bounds[0], bounds[1], BigInteger.One),
            _ => new PyRange(bounds[0], bounds[1], bounds[2]),
        };
        if (range.Step.IsZero)
            throw new JinjaException(JinjaErrorKind.ValueError, "range() arg 3 must not be zero");
        return range.Length <= MaxRange
            ? range
            : throw new JinjaException(JinjaErrorKind.OverflowError, $"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MaxRange}).");
    }

    private static BigInteger Bound(object? value)
    {
        return PyOps.Integer(value) ?? throw PyOps.Type($"'{PyOps.TypeName(value)}' object cannot be interpreted as an integer");
    }

    private static PyDict Dict(Arguments arguments)
    {
        if (arguments.Positional.Length > 1)
            throw PyOps.Type($"dict expected at most 1 argument, got {arguments.Positional.Length}");
        PyDict dict = new();
        if (arguments.Positional.Length == 1)
            Fill(dict, arguments.Positional[0]);
        foreach ((string name, object? value) in arguments.Named)
            dict.Set(name, value);
        return dict;
    }

    private static void Fill(PyDict dict, object? source)
    {
        if (source is PyDict other)
        {
            foreach ((object? key, object? value) in other.Entries)
                dict.Set(key, value);
            return;
        }

        foreach (object? pair in PyOps.Iterate(source))
        {
            object?[] items = [.. PyOps.Iterate(pair)];
            if (items.Length != 2)
                throw new JinjaException(JinjaErrorKind.ValueError, $"dictionary update sequence element has length {items.Length}; 2 is required");
            dict.Set(items[0], items[1]);
        }
    }

    private static PyNamespace Namespace(Arguments arguments)
    {
        PyNamespace ns = new();
        foreach ((object? key, object? value) in Dict(arguments).Entries)
            ns.Members.Set(key, value);
        return ns;
    }

    private static string StrftimeNow(Runtime runtime, Arguments arguments)
    {
        object? format = arguments.Bind("strftime_now", 1, "format")[0];
        DateTime now = runtime.Options.Now ?? throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, "the template asks for the date (strftime_now); give it one with --now or template variables");
        string text = Strftime.Format(now, PyOps.Text(format) ?? throw PyOps.Type($"strftime() argument 1 must be str, not {PyOps.TypeName(format)}"));
        runtime.Budget.Text(text.Length);
        return text;
    }

    private sealed class Cycler(object?[] items) : IPyObject
    {
        private int position;

        public string TypeName => "Cycler";

        public bool TryGetMember(string name, out object? value)
        {
            value = name switch
            {
                "current" => items[position],
                "next" => new PyFunction("next", (_, _) =>
                {
                    object? current = items[position];
                    position = (position + 1) % items.Length;
                    return current;
                }),
                "reset" => new PyFunction("reset", (_, _) =>
                {
                    position = 0;
                    return null;
                }),
                _ => Arguments.Missing,
            };
            return !ReferenceEquals(value, Arguments.Missing);
        }
    }

    private sealed class Joiner(string separator) : IPyObject, IPyCallable
    {
        private bool isUsed;

        public string TypeName => "Joiner";

        public bool TryGetMember(string name, out object? value)
        {
            value = null;
            return false;
        }

        public object? Call(Runtime runtime, Arguments arguments)
        {
            string text = isUsed ? separator : "";
            isUsed = true;
            return text;
        }
    }
}
