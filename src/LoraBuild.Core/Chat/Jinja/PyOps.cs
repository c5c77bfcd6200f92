// Operators with Python's meaning: truth, equality, order, arithmetic, membership, iteration.
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyOps
{
    /// <summary>Longest integer in bits; Python has no limit, a template that needs more is hostile.</summary>
    private const long MaxIntegerBits = 20_000;

    public static string TypeName(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        BigInteger => "int",
        double => "float",
        string => "str",
        Markup => "Markup",
        PyList => "list",
        PyTuple => "tuple",
        PyDict => "dict",
        PyRange => "range",
        PyDictView view => "dict_" + view.Kind switch { DictViewKind.Keys => "keys", DictViewKind.Values => "values", _ => "items" },
        PyBytes => "bytes",
        PyGenerator => "generator",
        Undefined => "Undefined",
        PyNamespace => "Namespace",
        IPyObject o => o.TypeName,
        _ => "function",
    };

    /// <summary>Text of a string or of escaped text; null for anything else.</summary>
    public static string? Text(object? value) => value as string ?? (value as Markup)?.Text;

    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool b => b,
        BigInteger i => !i.IsZero,
        double d => d != 0,
        string s => s.Length > 0,
        Markup m => m.Text.Length > 0,
        PyList list => list.Items.Count > 0,
        PyTuple tuple => tuple.Items.Length > 0,
        PyDict dict => dict.Count > 0,
        PyDictView view => view.Dict.Count > 0,
        PyRange range => range.Count > 0,
        PyBytes bytes => bytes.Bytes.Length > 0,
        _ => true,
    };

    /// <summary>The integer that a bool or int is; null for others.</summary>
    public static BigInteger? Integer(object? value) => value switch
    {
        BigInteger i => i,
        bool b => b ? BigInteger.One : BigInteger.Zero,
        _ => null,
    };

    public static bool AreEqual(object? a, object? b)
    {
        if (ReferenceEquals(a, b))
            return a is not double d || !double.IsNaN(d);
        Budget.Current.Step(4);
        if (Text(a) is string left)
            return Text(b) is string right && SameText(left, right);
        if (IsNumber(a))
            return IsNumber(b) && CompareNumbers(a, b) == 0;
        return (a, b) switch
        {
            (PyList x, PyList y) => AllEqual(x.Items, y.Items),
            (PyTuple x, PyTuple y) => AllEqual(x.Items, y.Items),
            (PyDict x, PyDict y) => AllEqual(x, y),
            (PyRange x, PyRange y) => x.Count == y.Count && (x.Count == 0 || (x.Start == y.Start && (x.Count == 1 || x.Step == y.Step))),
            (PyBytes x, PyBytes y) => x.Bytes.AsSpan().SequenceEqual(y.Bytes),
            (Undefined, Undefined) => true,
            (PyDictView x, PyDictView y) => AreEqual(x, y),
            _ => false,
        };
    }

    public static int Hash(object? value)
    {
        switch (value)
        {
            case string or Markup:
                string text = Text(value)!;
                Budget.Current.Scan(text.Length * 8L);
                return string.GetHashCode(text);
            case bool or BigInteger: return Integer(value)!.Value.GetHashCode();
            case double d: return double.IsInteger(d) ? new BigInteger(d).GetHashCode() : d.GetHashCode();
            case PyTuple tuple:
                Budget.Current.Descend();
                Budget.Current.Step(tuple.Items.Length);
                HashCode hash = default;
                foreach (object? item in tuple.Items)
                    hash.Add(item is null ? 0 : Hash(item));
                Budget.Current.Ascend();
                return hash.ToHashCode();
            case PyList or PyDict:
                throw Type($"cannot use '{TypeName(value)}' as a dict key (unhashable type: '{TypeName(value)}')");
            case Undefined: return 1;
            default: return System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(value!);
        }
    }

    /// <summary>Order of two values of comparable types.</summary>
    public static bool Compare(string op, object? a, object? b)
    {
        ThrowIfUndefined(a);
        ThrowIfUndefined(b);
        if (IsNumber(a) && IsNumber(b))
        {
            if (a is double.NaN || b is double.NaN)
                return false;
            return Holds(op, CompareNumbers(a, b));
        }

        if (Text(a) is string left && Text(b) is string right)
            return Holds(op, CompareText(left, right));
        if ((a, b) is (PyList, PyList) or (PyTuple, PyTuple))
        {
            Budget.Current.Descend();
            IReadOnlyList<object?> x = Elements(a);
            IReadOnlyList<object?> y = Elements(b);
            int same = 0;
            int common = Math.Min(x.Count, y.Count);
            while (same < common && AreEqual(x[same], y[same]))
                same++;
            bool holds = same < common ? Compare(op, x[same], y[same]) : Holds(op, x.Count.CompareTo(y.Count));
            Budget.Current.Ascend();
            return holds;
        }

        throw Type($"'{op}' not supported between instances of '{TypeName(a)}' and '{TypeName(b)}'");
    }

    public static object? Binary(string op, object? a, object? b)
    {
        // str % anything formats; an undefined value there prints as nothing.
        if (op == "%" && Text(a) is string format)
            return PyPercentFormat.Format(format, b);
        ThrowIfUndefined(a);
        ThrowIfUndefined(b);
        if (IsNumber(a) && IsNumber(b))
            return PyArithmetic.Apply(op, a!, b!);
        switch (op)
        {
            case "+" when Text(a) is string left:
                if (Text(b) is not string right)
                    throw Type($"can only concatenate str (not \"{TypeName(b)}\") to str");
                Budget.Current.Text((long)left.Length + right.Length);
                return left + right;
            case "+" when a is PyList list:
                if (b is not PyList other)
                    throw Type($"can only concatenate list (not \"{TypeName(b)}\") to list");
                Budget.Current.Elements((long)list.Items.Count + other.Items.Count);
                return new PyList([.. list.Items, .. other.Items]);
            case "+" when a is PyTuple x && b is PyTuple y:
                Budget.Current.Elements((long)x.Items.Length + y.Items.Length);
                return new PyTuple([.. x.Items, .. y.Items]);
            case "+" when a is PyTuple:
                throw Type($"can only concatenate tuple (not \"{TypeName(b)}\") to tuple");
            case "*" when IsSequence(a) && Integer(b) is BigInteger times:
                return Repeat(a, times);
            case "*" when IsSequence(b) && Integer(a) is BigInteger times:
                return Repeat(b, times);
            case "*" when IsSequence(a) || IsSequence(b):
                throw Type($"can't multiply sequence by non-int of type '{TypeName(IsSequence(a) ? b : a)}'");
            default:
                throw Type($"unsupported operand type(s) for {(op == "**" ? "** or pow()" : op)}: '{TypeName(a)}' and '{TypeName(b)}'");
        }
    }

    public static object? Unary(char op, object? value)
    {
        ThrowIfUndefined(value);
        if (value is double d)
            return op == '-' ? -d : d;
        if (Integer(value) is BigInteger i)
            return op == '-' ? -i : i;
        throw Type($"bad operand type for unary {op}: '{TypeName(value)}'");
    }

    public static bool Contains(object? container, object? item)
    {
        if (Text(container) is string text)
        {
            if (item is Undefined missing)
                throw Type($"'in <string>' requires string as left operand, not {TypeName(missing)}");
            return Text(item) is string part ? PySearch.IndexOf(text, part) >= 0 : throw Type($"'in <string>' requires string as left operand, not {TypeName(item)}");
        }

        return container switch
        {
            PyDict dict => dict.TryGet(item, out _),
            PyDictView { Kind: DictViewKind.Keys } view => view.Dict.TryGet(item, out _),
            PyRange range when Integer(item) is BigInteger number => range.Contains(number),
            Undefined => false,
            _ when TryIterate(container) is { } items => items.Any(i => AreEqual(i, item)),
            _ => throw Type($"argument of type '{TypeName(container)}' is not a container or iterable"),
        };
    }

    public static IEnumerable<object?> Iterate(object? value) => TryIterate(value) ?? throw Type($"'{TypeName(value)}' object is not iterable");

    /// <summary>The elements of anything that can be iterated; null for others. Each element costs a step.</summary>
    public static IEnumerable<object?>? TryIterate(object? value)
    {
        IEnumerable<object?>? items = value switch
        {
            string s => PyText.Split(s),
            Markup m => PyText.Split(m.Text),
            PyList list => list.Items,
            PyTuple tuple => tuple.Items,
            PyDict dict => dict.Entries.Select(e => e.Key),
            PyDictView view => view.Items(),
            PyRange range => range.Items(),
            PyBytes bytes => bytes.Bytes.Select(b => (object?)new BigInteger(b)),
            PyGenerator generator => generator.Items(),
            LoopContext loop => loop.Pairs(),
            Undefined => [],
            _ => null,
        };
        return items is null ? null : Metered(items);
    }

    /// <summary>Number of elements; null where the value has none.</summary>
    public static int? Count(object? value) => value switch
    {
        string or Markup => PyText.MeteredLength(Text(value)!),
        PyList list => list.Items.Count,
        PyTuple tuple => tuple.Items.Length,
        PyDict dict => dict.Count,
        PyDictView view => view.Dict.Count,
        PyRange range => range.Count,
        PyBytes bytes => bytes.Bytes.Length,
        LoopContext loop => loop.Length,
        Undefined => 0,
        _ => null,
    };

    public static bool IsNumber(object? value) => value is bool or BigInteger or double;

    public static void ThrowIfUndefined(object? value)
    {
        if (value is Undefined missing)
            throw missing.Error();
    }

    public static JinjaException Type(string message) => new(JinjaErrorKind.TypeError, message);

    public static BigInteger CheckBits(BigInteger value) => value.GetBitLength() <= MaxIntegerBits
        ? value
        : throw new JinjaException(JinjaErrorKind.LimitError, $"an integer has more than {MaxIntegerBits} bits");

    /// <summary>Code point order, not UTF-16 order.</summary>
    public static int CompareText(string a, string b)
    {
        int i = a.AsSpan().CommonPrefixLength(b);
        Budget.Current.Scan(i);
        if (i == a.Length || i == b.Length)
            return a.Length.CompareTo(b.Length);
        bool isSurrogate = char.IsSurrogate(a[i]);
        return isSurrogate != char.IsSurrogate(b[i]) ? (isSurrogate ? 1 : -1) : a[i].CompareTo(b[i]);
    }

    private static IEnumerable<object?> Metered(IEnumerable<object?> items)
    {
        foreach (object? item in items)
        {
            Budget.Current.Step();
            yield return item;
        }
    }

    private static bool AllEqual(IReadOnlyList<object?> a, IReadOnlyList<object?> b)
    {
        if (a.Count != b.Count)
            return false;
        Budget.Current.Descend();
        int same = 0;
        while (same < a.Count && AreEqual(a[same], b[same]))
            same++;
        Budget.Current.Ascend();
        return same == a.Count;
    }

    /// <summary>Keys and pairs compare as sets; values only with themselves.</summary>
    private static bool AreEqual(PyDictView a, PyDictView b)
    {
        if (a.Kind != b.Kind || a.Kind == DictViewKind.Values || a.Dict.Count != b.Dict.Count)
            return a.Kind != DictViewKind.Values && b.Kind != DictViewKind.Values && a.Dict.Count == 0 && b.Dict.Count == 0;
        return a.Kind == DictViewKind.Items ? AllEqual(a.Dict, b.Dict) : a.Dict.Entries.All(e => b.Dict.TryGet(e.Key, out _));
    }

    private static bool AllEqual(PyDict a, PyDict b)
    {
        Budget.Current.Descend();
        bool areEqual = a.Count == b.Count && a.Entries.All(e => b.TryGet(e.Key, out object? other) && AreEqual(e.Value, other));
        Budget.Current.Ascend();
        return areEqual;
    }

    private static bool SameText(string a, string b)
    {
        if (a.Length != b.Length)
            return false;
        Budget.Current.Scan(a.Length);
        return a == b;
    }

    private static int CompareNumbers(object? a, object? b)
    {
        if (a is double x && b is double y)
            return double.IsNaN(x) || double.IsNaN(y) ? 2 : x.CompareTo(y);
        if (a is double left)
            return -CompareNumbers(b, left);
        BigInteger i = Integer(a)!.Value;
        if (b is not double right)
            return i.CompareTo(Integer(b)!.Value);
        if (double.IsNaN(right))
            return 2;
        if (double.IsInfinity(right))
            return right > 0 ? -1 : 1;
        int byWhole = i.CompareTo(new BigInteger(Math.Truncate(right)));
        return byWhole != 0 ? byWhole : -Math.Sign(right - Math.Truncate(right));
    }

    private static bool Holds(string op, int order) => op switch
    {
        "<" => order < 0,
        "<=" => order <= 0,
        ">" => order > 0,
        _ => order >= 0,
    };

    private static bool IsSequence(object? value) => value is string or Markup or PyList or PyTuple;

    private static IReadOnlyList<object?> Elements(object? value) => value is PyList list ? list.Items : ((PyTuple)value!).Items;

    private static object Repeat(object? value, BigInteger times)
    {
        int count = Text(value)?.Length ?? Elements(value).Count;
        times = times.Sign < 0 ? BigInteger.Zero : times;
        long length = (long)BigInteger.Min(times * count, long.MaxValue);
        Budget.Current.Text(length);
        if (Text(value) is string text)
            return length == 0 ? "" : new System.Text.StringBuilder((int)length).Insert(0, text, (int)times).ToString();
        Budget.Current.Elements(length);
        List<object?> items = new((int)length);
        for (int i = 0; count > 0 && i < times; i++)
            items.AddRange(Elements(value));
        return value is PyList ? new PyList(items) : new PyTuple([.. items]);
    }
}
