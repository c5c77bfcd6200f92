// The tests behind `is`.
using System.Collections.Frozen;
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal static class Tests
{
    private static readonly FrozenDictionary<string, Func<Runtime, Arguments, bool>> All = new Dictionary<string, Func<Runtime, Arguments, bool>>
    {
        ["boolean"] = (_, a) => One(a) is bool,
        ["callable"] = (_, a) => One(a) is IPyCallable or Undefined,
        ["defined"] = (_, a) => One(a) is not Undefined,
        ["divisibleby"] = (_, a) => PyOps.AreEqual(PyOps.Binary("%", a.Bind("divisibleby", 2, "value", "num")[0], a.Positional[1]), BigInteger.Zero),
        ["eq"] = (_, a) => Two(a, "=="),
        ["equalto"] = (_, a) => Two(a, "=="),
        ["=="] = (_, a) => Two(a, "=="),
        ["escaped"] = (_, a) => One(a) is Markup,
        ["even"] = (_, a) => PyOps.AreEqual(PyOps.Binary("%", One(a), new BigInteger(2)), BigInteger.Zero),
        ["false"] = (_, a) => One(a) is false,
        ["filter"] = (_, a) => Filters.Find(PyRepr.Str(One(a))) is not null,
        ["float"] = (_, a) => One(a) is double,
        ["ge"] = (_, a) => Two(a, ">="),
        [">="] = (_, a) => Two(a, ">="),
        ["gt"] = (_, a) => Two(a, ">"),
        ["greaterthan"] = (_, a) => Two(a, ">"),
        [">"] = (_, a) => Two(a, ">"),
        ["in"] = (_, a) => a.Bind("in", 2, "value", "seq") is var b && PyOps.Contains(b[1], b[0]),
        ["integer"] = (_, a) => One(a) is BigInteger,
        ["iterable"] = (_, a) => PyOps.TryIterate(One(a)) is not null,
        ["le"] = (_, a) => Two(a, "<="),
        ["<="] = (_, a) => Two(a, "<="),
        ["lower"] = (_, a) => IsCase(One(a), upper: false),
        ["lt"] = (_, a) => Two(a, "<"),
        ["lessthan"] = (_, a) => Two(a, "<"),
        ["<"] = (_, a) => Two(a, "<"),
        ["mapping"] = (_, a) => One(a) is PyDict,
        ["ne"] = (_, a) => Two(a, "!="),
        ["!="] = (_, a) => Two(a, "!="),
        ["none"] = (_, a) => One(a) is null,
        ["number"] = (_, a) => PyOps.IsNumber(One(a)),
        ["odd"] = (_, a) => PyOps.AreEqual(PyOps.Binary("%", One(a), new BigInteger(2)), BigInteger.One),
        ["sameas"] = (_, a) => a.Bind("sameas", 2, "value", "other") is var b && IsSame(b[0], b[1]),
        ["sequence"] = (_, a) => One(a) is string or Markup or PyList or PyTuple or PyDict or PyRange or PyBytes or Undefined,
        ["string"] = (_, a) => PyOps.Text(One(a)) is not null,
        ["test"] = (_, a) => Find(PyRepr.Str(One(a))) is not null,
        ["true"] = (_, a) => One(a) is true,
        ["undefined"] = (_, a) => One(a) is Undefined,
        ["upper"] = (_, a) => IsCase(One(a), upper: true),
    }.ToFrozenDictionary();

    public static Func<Runtime, Arguments, bool>? Find(string name) => All.GetValueOrDefault(name);

    private static object? One(Arguments arguments) => arguments.Bind("test", 1, "value")[0];

    private static bool Two(Arguments arguments, string op)
    {
        object?[] bound = arguments.Bind(op, 2, "a", "b");
        return op switch
        {
            "==" => PyOps.AreEqual(bound[0], bound[1]),
            "!=" => !PyOps.AreEqual(bound[0], bound[1]),
            _ => PyOps.Compare(op, bound[0], bound[1]),
        };
    }

    private static bool IsCase(object? value, bool upper)
    {
        string text = PyRepr.Str(value);
        Budget.Current.Characters(text.Length * 4L);
        IEnumerable<System.Text.Rune> runes = [.. text.EnumerateRunes()];
        return runes.Any(upper ? PyCase.IsUpper : PyCase.IsLower) && !runes.Any(r => PyCase.IsCased(r) && !(upper ? PyCase.IsUpper(r) : PyCase.IsLower(r)));
    }

    /// <summary>Identity; small integers, texts, booleans and none count as the same where they are equal.</summary>
    private static bool IsSame(object? a, object? b) => ReferenceEquals(a, b)
        || (a is bool x && b is bool y && x == y)
        || (a is BigInteger i && b is BigInteger j && i == j)
        || (a is string s && b is string t && s == t);
}
