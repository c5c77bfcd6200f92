// The values of a template, with Python's meaning. None is null; bool, BigInteger (int), double (float) and string stand for themselves.
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal sealed class PyList(List<object?> items)
{
    public List<object?> Items { get; } = items;
}

internal sealed class PyTuple(params object?[] items)
{
    public object?[] Items { get; } = items;

    /// <summary>Names of the elements, for the pairs that <c>groupby</c> gives.</summary>
    public string[]? Names { get; init; }
}

/// <summary>Keeps the order of insertion; keys are equal as in Python (1 == 1.0 == True).</summary>
internal sealed class PyDict
{
    private static readonly object NoneKey = new();
    private readonly Dictionary<object, int> index = new(PyKeyComparer.Instance);
    private readonly List<KeyValuePair<object?, object?>> entries = [];

    public int Count => entries.Count;

    public IReadOnlyList<KeyValuePair<object?, object?>> Entries => entries;

    public void Set(object? key, object? value)
    {
        Budget.Current.Step(6);
        object lookup = key ?? NoneKey;
        if (index.TryGetValue(lookup, out int at))
        {
            entries[at] = new(entries[at].Key, value);
            return;
        }

        index.Add(lookup, entries.Count);
        entries.Add(new(key, value));
    }

    public bool TryGet(object? key, out object? value)
    {
        if (index.Count == 0)
            PyOps.Hash(key ?? NoneKey); // an unhashable key fails also here
        bool found = index.TryGetValue(key ?? NoneKey, out int at);
        value = found ? entries[at].Value : null;
        return found;
    }

    public PyDict Copy()
    {
        PyDict copy = new();
        foreach ((object? key, object? value) in entries)
            copy.Set(key, value);
        return copy;
    }
}

internal sealed class PyKeyComparer : IEqualityComparer<object>
{
    public static PyKeyComparer Instance { get; } = new();

    bool IEqualityComparer<object>.Equals(object? x, object? y) => PyOps.AreEqual(x, y);

    int IEqualityComparer<object>.GetHashCode(object key) => PyOps.Hash(key);
}

internal enum DictViewKind
{
    Keys,
    Values,
    Items,
}

internal sealed record PyDictView(PyDict Dict, DictViewKind Kind)
{
    public IEnumerable<object?> Items() => Kind switch
    {
        DictViewKind.Keys => Dict.Entries.Select(e => e.Key),
        DictViewKind.Values => Dict.Entries.Select(e => e.Value),
        _ => Dict.Entries.Select(Pair),
    };

    private static object? Pair(KeyValuePair<object?, object?> entry)
    {
        Budget.Current.Step(6);
        return new PyTuple(entry.Key, entry.Value);
    }
}

/// <summary>At most 100,000 elements: the sandbox refuses longer ones.</summary>
internal sealed record PyRange(BigInteger Start, BigInteger Stop, BigInteger Step)
{
    public BigInteger Length
    {
        get
        {
            BigInteger span = Step.Sign > 0 ? Stop - Start : Start - Stop;
            return span.Sign <= 0 ? BigInteger.Zero : (span + BigInteger.Abs(Step) - 1) / BigInteger.Abs(Step);
        }
    }

    public int Count => (int)Length;

    public BigInteger this[int i] => Start + (Step * i);

    public IEnumerable<object?> Items()
    {
        int count = Count;
        for (int i = 0; i < count; i++)
        {
            Budget.Current.Step();
            yield return this[i];
        }
    }

    public bool Contains(BigInteger value)
    {
        BigInteger index = BigInteger.DivRem(value - Start, Step, out BigInteger rest);
        return rest.IsZero && index.Sign >= 0 && index < Count;
    }
}

internal sealed class PyBytes(byte[] bytes)
{
    public byte[] Bytes { get; } = bytes;
}

/// <summary>Text that is already escaped for HTML; matters only under <c>autoescape</c>.</summary>
internal sealed record Markup(string Text);

/// <summary>A lazy sequence, as <c>map</c> and <c>select</c> give; it can be walked once.</summary>
internal sealed class PyGenerator(IEnumerable<object?> items, string name)
{
    private readonly IEnumerator<object?> enumerator = items.GetEnumerator();

    public string Name { get; } = name;

    public IEnumerable<object?> Items()
    {
        while (MoveNext())
            yield return enumerator.Current;
    }

    private bool MoveNext()
    {
        Budget.Current.Descend(); // a generator over a generator over …
        bool isThere = enumerator.MoveNext();
        Budget.Current.Ascend();
        return isThere;
    }
}

/// <summary>A value that is not there: prints as nothing, is false and empty, and fails where a value is needed.</summary>
internal sealed class Undefined(string message, JinjaErrorKind kind = JinjaErrorKind.UndefinedError)
{
    public static Undefined OfName(string name) => new($"'{name}' is undefined");

    public static Undefined OfMember(object? owner, object? member)
    {
        string type = owner is null ? "None" : PyOps.TypeName(owner) + " object";
        return member is string name
            ? new(owner is null ? $"None has no attribute {PyRepr.Repr(name)}" : $"'{type}' has no attribute {PyRepr.Repr(name)}")
            : new($"{type} has no element {PyRepr.Repr(member)}");
    }

    public static Undefined Unsafe(object? owner, string member) =>
        new($"access to attribute '{member}' of '{PyOps.TypeName(owner)}' object is unsafe.", JinjaErrorKind.SecurityError);

    public JinjaException Error() => new(kind, message);
}

internal sealed class PyNamespace
{
    public PyDict Members { get; } = new();
}

/// <summary>Anything that a template can call.</summary>
internal interface IPyCallable
{
    object? Call(Runtime runtime, Arguments arguments);
}

internal sealed class PyFunction(string name, Func<Runtime, Arguments, object?> body) : IPyCallable
{
    public string Name { get; } = name;

    public object? Call(Runtime runtime, Arguments arguments) => body(runtime, arguments);
}

/// <summary>Has named members of its own (<c>loop</c>, <c>cycler</c>, a macro).</summary>
internal interface IPyObject
{
    string TypeName { get; }

    bool TryGetMember(string name, out object? value);
}
