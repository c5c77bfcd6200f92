// What `x.y`, `x[y]` and `x[a:b:c]` give. Only what is listed here can be reached: there is no reflection.
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyMembers
{
    private static readonly HashSet<string> ListMutators = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
    private static readonly HashSet<string> DictMutators = ["clear", "pop", "popitem", "setdefault", "update"];

    /// <summary>Underscore attributes that Python objects have; the sandbox refuses them.</summary>
    private static readonly HashSet<string> Dunders =
    [
        "__class__", "__init__", "__new__", "__doc__", "__dict__", "__module__", "__repr__", "__str__", "__hash__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__",
        "__getattribute__", "__setattr__", "__delattr__", "__dir__", "__format__", "__reduce__", "__reduce_ex__", "__sizeof__", "__subclasshook__", "__init_subclass__",
    ];

    private static readonly HashSet<string> ContainerDunders = ["__len__", "__iter__", "__contains__", "__getitem__", "__setitem__", "__delitem__", "__add__", "__iadd__", "__mul__", "__imul__", "__rmul__", "__reversed__", "__or__", "__ior__", "__ror__", "__class_getitem__"];
    private static readonly HashSet<string> FunctionDunders = ["__globals__", "__code__", "__closure__", "__defaults__", "__kwdefaults__", "__name__", "__qualname__", "__call__", "__self__", "__func__", "__wrapped__", "__builtins__", "__get__"];

    /// <summary>An attribute, else an item, else undefined.</summary>
    public static object? Attribute(object? owner, string name)
    {
        if (TryAttribute(owner, name, out object? value))
            return value;
        PyOps.ThrowIfUndefined(owner);
        return TryItem(owner, name, out value) ? value : Undefined.OfMember(owner, name);
    }

    /// <summary>An item, else (for a text) an attribute, else undefined.</summary>
    public static object? Item(object? owner, object? key)
    {
        PyOps.ThrowIfUndefined(owner);
        if (TryItem(owner, key, out object? value))
            return value;
        return PyOps.Text(key) is string name && TryAttribute(owner, name, out value) ? value : Undefined.OfMember(owner, key);
    }

    /// <summary>Python's slice. Unlike an index it fails for what has none.</summary>
    public static object? Slice(object? owner, object? start, object? stop, object? step)
    {
        PyOps.ThrowIfUndefined(owner);
        if (owner is PyDict)
            throw new JinjaException(JinjaErrorKind.LookupError, $"slice({PyRepr.Repr(start)}, {PyRepr.Repr(stop)}, {PyRepr.Repr(step)})");
        if (PyOps.Text(owner) is null && owner is not (PyList or PyTuple or PyRange or PyBytes))
            throw PyOps.Type($"'{PyOps.TypeName(owner)}' object is not subscriptable");
        if (!IsIndex(start) || !IsIndex(stop) || !IsIndex(step))
            throw PyOps.Type("slice indices must be integers or None or have an __index__ method");
        BigInteger by = PyOps.Integer(step) ?? BigInteger.One;
        if (by.IsZero)
            throw new JinjaException(JinjaErrorKind.ValueError, "slice step cannot be zero");
        IReadOnlyList<object?> items = owner switch
        {
            PyList list => list.Items,
            PyTuple tuple => tuple.Items,
            PyRange range => [.. PyOps.Iterate(range)],
            PyBytes bytes => [.. bytes.Bytes.Select(b => (object?)b)],
            _ => PyText.Split(PyOps.Text(owner)!),
        };
        int count = items.Count;
        BigInteger first = Clamp(PyOps.Integer(start), count, by.Sign, by.Sign > 0 ? 0 : count - 1);
        BigInteger last = Clamp(PyOps.Integer(stop), count, by.Sign, by.Sign > 0 ? count : -1);
        int length = by.Sign > 0 ? (int)((last - first + by - 1) / by) : (int)((first - last - by - 1) / -by);
        List<object?> taken = new(Math.Max(0, length));
        Budget.Current.Elements(Math.Max(0, length));
        for (BigInteger i = first; by.Sign > 0 ? i < last : i > last; i += by)
            taken.Add(items[(int)i]);
        return owner switch
        {
            PyTuple => new PyTuple([.. taken]),
            PyRange range => new PyRange(range[0] + (first * range.Step), range[0] + (last * range.Step), range.Step * by),
            PyBytes => new PyBytes([.. taken.Select(b => (byte)b!)]),
            PyList => new PyList(taken),
            _ => string.Concat(taken),
        };
    }

    public static bool TryItem(object? owner, object? key, out object? value)
    {
        value = null;
        if (owner is PyDict dict)
            return IsHashable(key) && dict.TryGet(key, out value);
        if (PyOps.Integer(key) is not BigInteger index || index > int.MaxValue || index < int.MinValue)
            return false;
        if (PyOps.Text(owner) is string text)
        {
            value = PyText.At(text, (long)index);
            return value is not null;
        }

        if (owner is not (PyList or PyTuple or PyRange or PyBytes))
            return false;
        int count = PyOps.Count(owner)!.Value;
        int at = (int)index < 0 ? (int)index + count : (int)index;
        if (at < 0 || at >= count)
            return false;
        value = owner switch
        {
            PyList list => list.Items[at],
            PyTuple tuple => tuple.Items[at],
            PyRange range => range[at],
            _ => new BigInteger(((PyBytes)owner).Bytes[at]),
        };
        return true;
    }

    public static bool TryAttribute(object? owner, string name, out object? value)
    {
        if (name.StartsWith("__", StringComparison.Ordinal) && HasDunder(owner, name))
        {
            value = Undefined.Unsafe(owner, name);
            return true;
        }

        value = owner switch
        {
            Undefined missing => throw missing.Error(),
            string s => StringMethods.Bind(s, name),
            Markup m => StringMethods.Bind(m.Text, name),
            PyList when ListMutators.Contains(name) => Undefined.Unsafe(owner, name),
            PyDict when DictMutators.Contains(name) => Undefined.Unsafe(owner, name),
            PyDict dict => DictMethod(dict, name),
            PyList list => SequenceMethod(list.Items, name, "list"),
            PyTuple { Names: { } names } tuple when Array.IndexOf(names, name) is >= 0 and int at => tuple.Items[at] ?? NoneMember,
            PyTuple tuple => SequenceMethod(tuple.Items, name, "tuple"),
            PyRange range => name switch
            {
                "start" => range.Start,
                "stop" => range.Stop,
                "step" => range.Step,
                "count" or "index" => SequenceMethod([.. PyOps.Iterate(range)], name, "range"),
                _ => null,
            },
            PyNamespace ns => ns.Members.TryGet(name, out object? member) ? member ?? NoneMember : null,
            IPyObject o => o.TryGetMember(name, out object? member) ? member ?? NoneMember : null,
            bool or BigInteger => IntegerMember(PyOps.Integer(owner)!.Value, name),
            double d => name switch
            {
                "is_integer" => new PyFunction(name, (_, _) => double.IsInteger(d)),
                "real" => d,
                "imag" => 0.0,
                _ => null,
            },
            _ => null,
        };
        bool isFound = value is not null;
        value = ReferenceEquals(value, NoneMember) ? null : value;
        return isFound;
    }

    private static readonly object NoneMember = new();

    private static bool HasDunder(object? owner, string name) => Dunders.Contains(name)
        || (owner is string or Markup or PyList or PyTuple or PyDict or PyRange or PyDictView && ContainerDunders.Contains(name))
        || (owner is IPyCallable && FunctionDunders.Contains(name));

    private static bool IsIndex(object? value) => value is null || PyOps.Integer(value) is not null;

    private static bool IsHashable(object? value) => value switch
    {
        PyList or PyDict => false,
        PyTuple tuple => AreHashable(tuple.Items),
        _ => true,
    };

    private static bool AreHashable(object?[] items)
    {
        Budget.Current.Descend();
        Budget.Current.Step(items.Length);
        bool areHashable = Array.TrueForAll(items, IsHashable);
        Budget.Current.Ascend();
        return areHashable;
    }

    private static BigInteger Clamp(BigInteger? index, int count, int direction, int fallback)
    {
        if (index is not BigInteger i)
            return fallback;
        if (i.Sign < 0)
            i += count;
        return direction > 0 ? BigInteger.Clamp(i, 0, count) : BigInteger.Clamp(i, -1, count - 1);
    }

    private static PyFunction? DictMethod(PyDict dict, string name) => name switch
    {
        "items" => new PyFunction(name, (_, a) => NoArguments(a, name, new PyDictView(dict, DictViewKind.Items))),
        "keys" => new PyFunction(name, (_, a) => NoArguments(a, name, new PyDictView(dict, DictViewKind.Keys))),
        "values" => new PyFunction(name, (_, a) => NoArguments(a, name, new PyDictView(dict, DictViewKind.Values))),
        "copy" => new PyFunction(name, (_, a) => NoArguments(a, name, dict.Copy())),
        "get" => new PyFunction(name, (_, a) =>
        {
            object?[] bound = a.Bind("get", 1, "key", "default");
            return dict.TryGet(bound[0], out object? value) ? value : Arguments.Or(bound[1], null);
        }),
        "fromkeys" => new PyFunction(name, (_, a) =>
        {
            object?[] bound = a.Bind("fromkeys", 1, "iterable", "value");
            PyDict result = new();
            foreach (object? key in PyOps.Iterate(bound[0]))
                result.Set(key, Arguments.Or(bound[1], null));
            return result;
        }),
        _ => null,
    };

    private static PyFunction? SequenceMethod(IReadOnlyList<object?> items, string name, string type) => name switch
    {
        "count" => new PyFunction(name, (_, a) =>
        {
            object? wanted = a.Bind("count", 1, "value")[0];
            return new BigInteger(items.Count(i => PyOps.AreEqual(i, wanted)));
        }),
        "index" => new PyFunction(name, (_, a) =>
        {
            object?[] bound = a.Bind("index", 1, "value", "start", "stop");
            int start = (int)Clamp(PyOps.Integer(Arguments.Or(bound[1], null)), items.Count, 1, 0);
            int stop = (int)Clamp(PyOps.Integer(Arguments.Or(bound[2], null)), items.Count, 1, items.Count);
            for (int i = start; i < stop; i++)
            {
                if (PyOps.AreEqual(items[i], bound[0]))
                    return new BigInteger(i);
            }

            throw new JinjaException(JinjaErrorKind.ValueError, $"{type}.index(x): x not in {type}");
        }),
        "copy" when type == "list" => new PyFunction(name, (_, a) =>
        {
            Budget.Current.Elements(items.Count);
            return NoArguments(a, name, new PyList([.. items]));
        }),
        _ => null,
    };

    private static object? IntegerMember(BigInteger value, string name) => name switch
    {
        "real" or "numerator" => value,
        "imag" => BigInteger.Zero,
        "denominator" => BigInteger.One,
        "bit_length" => new PyFunction(name, (_, _) => new BigInteger(BigInteger.Abs(value).GetBitLength())),
        "bit_count" => new PyFunction(name, (_, _) => BigInteger.PopCount(BigInteger.Abs(value))),
        "is_integer" => new PyFunction(name, (_, _) => true),
        "conjugate" => new PyFunction(name, (_, _) => value),
        _ => null,
    };

    private static object NoArguments(Arguments arguments, string name, object result)
    {
        arguments.Bind(name, 0);
        return result;
    }
}
