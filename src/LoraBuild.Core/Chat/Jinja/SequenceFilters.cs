// Filters over sequences and mappings. Texts compare without case unless asked, as in Jinja2.
using System.Globalization;
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal static class SequenceFilters
{
    public static object? Batch(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("batch", 2, "value", "linecount", "fill_with");
        int size = Filters.IntOf(bound[1]);
        object? fill = Arguments.Or(bound[2], null);
        return new PyGenerator(Rows(), "do_batch");

        IEnumerable<object?> Rows()
        {
            List<object?> row = [];
            foreach (object? item in PyOps.Iterate(bound[0]))
            {
                if (row.Count == size)
                {
                    yield return new PyList(row);
                    row = [];
                }

                row.Add(item);
            }

            while (row.Count > 0 && fill is not null && row.Count < size)
            {
                Budget.Current.Step();
                row.Add(fill);
            }

            if (row.Count > 0)
                yield return new PyList(row);
        }
    }

    public static object? Slice(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("slice", 2, "value", "slices", "fill_with");
        List<object?> items = [.. PyOps.Iterate(bound[0])];
        int slices = Filters.IntOf(bound[1]);
        if (slices == 0)
            throw new JinjaException(JinjaErrorKind.ZeroDivisionError, "integer division or modulo by zero");
        Budget.Current.Elements(Math.Max(0, slices) * 3L);
        object? fill = Arguments.Or(bound[2], null);
        (int size, int extra) = Math.DivRem(items.Count, slices);
        List<object?> result = [];
        for (int i = 0, at = 0; i < slices; i++)
        {
            int take = size + (i < extra ? 1 : 0);
            List<object?> part = items.GetRange(at, take);
            at += take;
            if (fill is not null && i >= extra)
                part.Add(fill);
            result.Add(new PyList(part));
        }

        return new PyGenerator(result, "sync_do_slice");
    }

    public static object? DictSort(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("dictsort", 1, "value", "case_sensitive", "by", "reverse");
        bool isCaseSensitive = PyOps.IsTrue(Arguments.Or(bound[1], false));
        string by = PyRepr.Str(Arguments.Or(bound[2], "key"));
        if (by is not ("key" or "value"))
            throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, "You can only sort by either \"key\" or \"value\"");
        PyOps.ThrowIfUndefined(bound[0]);
        if (bound[0] is not PyDict dict)
            throw new JinjaException(JinjaErrorKind.UndefinedError, $"'{PyOps.TypeName(bound[0])} object' has no attribute 'items'");
        List<object?> pairs = [.. new PyDictView(dict, DictViewKind.Items).Items()];
        return new PyList(Sorted(pairs, p => Fold(((PyTuple)p!).Items[by == "key" ? 0 : 1], isCaseSensitive), PyOps.IsTrue(Arguments.Or(bound[3], false))));
    }

    public static object? First(Runtime runtime, Arguments arguments)
    {
        foreach (object? item in PyOps.Iterate(arguments.Bind("first", 1, "seq")[0]))
            return item;
        return new Undefined("No first item, sequence was empty.");
    }

    public static object? Last(Runtime runtime, Arguments arguments)
    {
        object? value = arguments.Bind("last", 1, "seq")[0];
        if (value is PyGenerator)
            throw PyOps.Type("'generator' object is not reversible");
        object?[] items = [.. PyOps.Iterate(value)];
        return items.Length > 0 ? items[^1] : new Undefined("No last item, sequence was empty.");
    }

    public static object? GroupBy(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("groupby", 2, "value", "attribute", "default", "case_sensitive");
        bool isCaseSensitive = PyOps.IsTrue(Arguments.Or(bound[3], false));
        Func<object?, object?> get = Getter(bound[1], Arguments.Or(bound[2], null));
        List<object?> result = [];
        List<object?>? group = null;
        object? groupKey = null;
        foreach (object? item in Sorted([.. PyOps.Iterate(bound[0])], i => Fold(get(i), isCaseSensitive), isReversed: false))
        {
            object? key = Fold(get(item), isCaseSensitive);
            if (group is null || !PyOps.AreEqual(key, groupKey))
            {
                group = [];
                groupKey = key;
                result.Add(new PyTuple(get(item), new PyList(group)) { Names = ["grouper", "list"] });
            }

            group.Add(item);
        }

        return new PyList(result);
    }

    public static object? Items(Runtime runtime, Arguments arguments) => arguments.Bind("items", 1, "value")[0] switch
    {
        Undefined => new PyGenerator([], "do_items"),
        PyDict dict => new PyGenerator(new PyDictView(dict, DictViewKind.Items).Items(), "do_items"),
        _ => throw PyOps.Type("Can only get item pairs from a mapping."),
    };

    public static object? Join(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("join", 1, "value", "d", "attribute");
        IEnumerable<object?> items = PyOps.Iterate(bound[0]);
        if (Arguments.Or(bound[2], null) is object attribute)
            items = items.Select(Getter(attribute));
        return StringMethods.Join(PyRepr.Str(Arguments.Or(bound[1], "")), new PyGenerator(items.Select(i => (object?)PyRepr.Str(i)), "join"));
    }

    public static object? Map(Runtime runtime, Arguments arguments)
    {
        object? value = arguments.Positional[0];
        Func<object?, object?> map;
        if (arguments.Positional.Length == 1 && arguments.Named.Any(n => n.Key == "attribute"))
        {
            KeyValuePair<string, object?>? unexpected = arguments.Named.Where(n => n.Key is not ("attribute" or "default")).Cast<KeyValuePair<string, object?>?>().FirstOrDefault();
            if (unexpected is { Key: var name })
                throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, $"Unexpected keyword argument {PyRepr.Repr(name)}");
            map = Getter(Named(arguments, "attribute"), Named(arguments, "default"));
        }
        else
        {
            if (arguments.Positional.Length < 2)
                throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, "map requires a filter argument");
            string filterName = PyRepr.Str(arguments.Positional[1]);
            Func<Runtime, Arguments, object?> filter = Filters.Find(filterName) ?? throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, $"No filter named {PyRepr.Repr(filterName)}.");
            Arguments rest = new(arguments.Positional[2..], arguments.Named);
            map = item =>
            {
                runtime.Budget.Step(12);
                return filter(runtime, rest.Prepend(item));
            };
        }

        return new PyGenerator(PyOps.IsTrue(value) ? PyOps.Iterate(value).Select(map) : [], "sync_do_map");
    }

    public static object? Select(Runtime runtime, Arguments arguments, bool isKept, bool byAttribute)
    {
        object? value = arguments.Positional[0];
        int next = 1;
        Func<object?, object?> get = item => item;
        if (byAttribute)
            get = Getter(arguments.Positional.Length > next ? arguments.Positional[next++] : throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, "Missing parameter for attribute name"));
        Func<object?, bool> holds = item => PyOps.IsTrue(get(item));
        if (arguments.Positional.Length > next)
        {
            string testName = PyRepr.Str(arguments.Positional[next]);
            Func<Runtime, Arguments, bool> test = Tests.Find(testName) ?? throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, $"No test named {PyRepr.Repr(testName)}.");
            Arguments rest = new(arguments.Positional[(next + 1)..], arguments.Named);
            holds = item =>
            {
                runtime.Budget.Step(6);
                return test(runtime, rest.Prepend(get(item)));
            };
        }

        return new PyGenerator(PyOps.IsTrue(value) ? PyOps.Iterate(value).Where(i => holds(i) == isKept) : [], "select_or_reject");
    }

    public static object? Extreme(Runtime runtime, Arguments arguments, string op)
    {
        object?[] bound = arguments.Bind("min", 1, "value", "case_sensitive", "attribute");
        bool isCaseSensitive = PyOps.IsTrue(Arguments.Or(bound[1], false));
        Func<object?, object?> get = Getter(Arguments.Or(bound[2], null));
        object? best = null;
        object? bestKey = null;
        bool isFirst = true;
        foreach (object? item in PyOps.Iterate(bound[0]))
        {
            object? key = Fold(get(item), isCaseSensitive);
            if (isFirst || PyOps.Compare(op, key, bestKey))
                (best, bestKey) = (item, key);
            isFirst = false;
        }

        return isFirst ? new Undefined("No aggregated item, sequence was empty.") : best;
    }

    public static object? Reverse(Runtime runtime, Arguments arguments)
    {
        object? value = arguments.Bind("reverse", 1, "value")[0];
        if (PyOps.Text(value) is string text)
        {
            List<string> points = PyText.Split(text);
            points.Reverse();
            return string.Concat(points);
        }

        if (PyOps.TryIterate(value) is not { } elements)
            throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, "argument must be iterable");
        List<object?> items = [.. elements];
        items.Reverse();
        return value is PyGenerator ? new PyList(items) : new PyGenerator(items, "reversed");
    }

    public static object? Sort(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("sort", 1, "value", "reverse", "case_sensitive", "attribute");
        bool isCaseSensitive = PyOps.IsTrue(Arguments.Or(bound[2], false));
        object? attribute = Arguments.Or(bound[3], null);
        Func<object?, object?>[] getters = attribute is string names ? [.. names.Split(',').Select(n => Getter(n))] : [Getter(attribute)];
        // Keys are sequences also when there is one attribute: equal ones are never asked which is less.
        return new PyList(Sorted([.. PyOps.Iterate(bound[0])], item => new PyTuple([.. getters.Select(g => Fold(g(item), isCaseSensitive))]), PyOps.IsTrue(Arguments.Or(bound[1], false))));
    }

    public static object? Sum(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("sum", 1, "iterable", "attribute", "start");
        Func<object?, object?> get = Getter(Arguments.Or(bound[1], null));
        object? total = Arguments.Or(bound[2], BigInteger.Zero);
        if (total is string)
            throw PyOps.Type("sum() can't sum strings [use ''.join(seq) instead]");
        foreach (object? item in PyOps.Iterate(bound[0]))
            total = PyOps.Binary("+", total, get(item));
        return total;
    }

    public static object? Unique(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("unique", 1, "value", "case_sensitive", "attribute");
        bool isCaseSensitive = PyOps.IsTrue(Arguments.Or(bound[1], false));
        Func<object?, object?> get = Getter(Arguments.Or(bound[2], null));
        return new PyGenerator(Distinct(), "sync_do_unique");

        IEnumerable<object?> Distinct()
        {
            PyDict seen = new();
            foreach (object? item in PyOps.Iterate(bound[0]))
            {
                object? key = Fold(get(item), isCaseSensitive);
                if (seen.TryGet(key, out _))
                    continue;
                seen.Set(key, true);
                yield return item;
            }
        }
    }

    private static object? Named(Arguments arguments, string name) => arguments.Named.FirstOrDefault(n => n.Key == name).Value;

    private static object? Fold(object? value, bool isCaseSensitive)
    {
        if (isCaseSensitive || PyOps.Text(value) is not string text)
            return value;
        Budget.Current.Step(1 + text.Length);
        return PyCase.Lower(text);
    }

    /// <summary>Reads "a.b.0" or a number; null reads the element itself.</summary>
    private static Func<object?, object?> Getter(object? attribute, object? fallback = null)
    {
        if (attribute is null)
            return item => item;
        Budget.Current.Characters((PyOps.Text(attribute)?.Length ?? 0) * 2L);
        object[] path = PyOps.Text(attribute) is string names
            ? [.. names.Split('.').Select(p => p.Length > 0 && p.All(char.IsAsciiDigit) ? BigInteger.Parse(p, CultureInfo.InvariantCulture) : (object)p)]
            : [attribute];
        return item =>
        {
            foreach (object key in path)
            {
                Budget.Current.Step(2);
                item = PyMembers.Item(item, key);
                if (item is Undefined && fallback is not null)
                    item = fallback;
            }

            return item;
        };
    }

    /// <summary>A stable merge sort: equal elements keep their order, also when reversed.</summary>
    private static List<object?> Sorted(List<object?> items, Func<object?, object?> key, bool isReversed)
    {
        (object? Item, object? Key)[] from = [.. items.Select(i => (i, key(i)))];
        (object? Item, object? Key)[] to = new (object?, object?)[from.Length];
        for (int width = 1; width < from.Length; width *= 2)
        {
            for (int start = 0; start < from.Length; start += 2 * width)
            {
                int middle = Math.Min(start + width, from.Length);
                int end = Math.Min(start + (2 * width), from.Length);
                for (int i = start, j = middle, k = start; k < end; k++)
                {
                    Budget.Current.Step();
                    bool takesRight = i >= middle || (j < end && (isReversed ? PyOps.Compare("<", from[i].Key, from[j].Key) : PyOps.Compare("<", from[j].Key, from[i].Key)));
                    to[k] = takesRight ? from[j++] : from[i++];
                }
            }

            (from, to) = (to, from);
        }

        return [.. from.Select(f => f.Item)];
    }
}
