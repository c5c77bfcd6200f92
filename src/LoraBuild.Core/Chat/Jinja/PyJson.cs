// Between JSON and template values: contexts come in, `tojson` goes out as Python's json.dumps(ensure_ascii=False) writes.
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyJson
{
    public static object? FromNode(JsonNode? node)
    {
        Budget.CheckStack();
        switch (node)
        {
            case null: return null;
            case JsonObject o:
                PyDict dict = new();
                foreach ((string key, JsonNode? value) in o)
                    dict.Set(key, FromNode(value));
                return dict;
            case JsonArray a: return new PyList([.. a.Select(FromNode)]);
        }

        JsonValue scalar = node.AsValue();
        return scalar.GetValueKind() switch
        {
            JsonValueKind.String => scalar.GetValue<string>(),
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            JsonValueKind.Number => Number(scalar.ToJsonString()),
            _ => null,
        };
    }

    /// <param name="indent">Text of one level; null writes one line.</param>
    public static string Dump(object? value, string? indent, string itemSeparator, string keySeparator, bool ensureAscii, bool sortKeys)
    {
        Writer writer = new(indent, itemSeparator, keySeparator, ensureAscii, sortKeys);
        writer.Append(value, 0);
        return writer.Text.ToString();
    }

    /// <summary>A number with a point or an exponent is a float.</summary>
    private static object Number(string raw) => raw.AsSpan().IndexOfAny('.', 'e', 'E') >= 0
        ? double.Parse(raw, CultureInfo.InvariantCulture)
        : BigInteger.Parse(raw, CultureInfo.InvariantCulture);

    private sealed class Writer(string? indent, string itemSeparator, string keySeparator, bool ensureAscii, bool sortKeys)
    {
        public StringBuilder Text { get; } = new();

        public void Append(object? value, int level)
        {
            Budget.Current.Descend();
            Budget.Current.Step(8);
            Budget.Current.Limit(Text.Length);
            switch (value)
            {
                case null: Text.Append("null"); break;
                case bool b: Text.Append(b ? "true" : "false"); break;
                case BigInteger i: Text.Append(PyRepr.Int(i)); break;
                case double d: Text.Append(Float(d)); break;
                case string s: AppendString(s); break;
                case Markup m: AppendString(m.Text); break;
                case PyList list: AppendItems(list.Items, level); break;
                case PyTuple tuple: AppendItems(tuple.Items, level); break;
                case PyDict dict: AppendDict(dict, level); break;
                default: throw PyOps.Type($"Object of type {PyOps.TypeName(value)} is not JSON serializable");
            }

            Budget.Current.Ascend();
        }

        private static string Float(double value) => double.IsNaN(value) ? "NaN" : double.IsInfinity(value) ? (value > 0 ? "Infinity" : "-Infinity") : PyRepr.Float(value);

        private void AppendItems(IReadOnlyList<object?> items, int level)
        {
            if (items.Count == 0)
            {
                Text.Append("[]");
                return;
            }

            Text.Append('[');
            for (int i = 0; i < items.Count; i++)
            {
                if (i > 0)
                    Separate();
                NewLine(level + 1);
                Append(items[i], level + 1);
            }

            NewLine(level);
            Text.Append(']');
        }

        private void AppendDict(PyDict dict, int level)
        {
            if (dict.Count == 0)
            {
                Text.Append("{}");
                return;
            }

            Text.Append('{');
            IEnumerable<KeyValuePair<object?, object?>> entries = dict.Entries;
            if (sortKeys)
                entries = entries.Order(Comparer<KeyValuePair<object?, object?>>.Create((a, b) => PyOps.Compare("<", a.Key, b.Key) ? -1 : PyOps.Compare("<", b.Key, a.Key) ? 1 : 0));
            bool isFirst = true;
            foreach ((object? key, object? value) in entries)
            {
                if (!isFirst)
                    Separate();
                isFirst = false;
                NewLine(level + 1);
                AppendString(Key(key));
                Budget.Current.Limit((long)Text.Length + keySeparator.Length);
                Text.Append(keySeparator);
                Append(value, level + 1);
            }

            NewLine(level);
            Text.Append('}');
        }

        private static string Key(object? key) => key switch
        {
            string s => s,
            Markup m => m.Text,
            null => "null",
            bool b => b ? "true" : "false",
            BigInteger i => PyRepr.Int(i),
            double d => Float(d),
            _ => throw PyOps.Type($"keys must be str, int, float, bool or None, not {PyOps.TypeName(key)}"),
        };

        private void Separate()
        {
            Budget.Current.Step(1 + (itemSeparator.Length >> 4));
            Budget.Current.Limit((long)Text.Length + itemSeparator.Length);
            Text.Append(itemSeparator);
        }

        private void NewLine(int level)
        {
            if (indent is null)
                return;
            Text.Append('\n');
            Budget.Current.Limit(Text.Length + ((long)indent.Length * level));
            Budget.Current.Step(level + ((long)indent.Length * level >> 4));
            for (int i = 0; i < level; i++)
                Text.Append(indent);
        }

        private void AppendString(string s)
        {
            Budget.Current.Limit((long)Text.Length + s.Length);
            Budget.Current.Step(s.Length >> 2);
            Text.Append('"');
            int made = 0;
            foreach (char c in s)
            {
                if ((++made & 0xFFFF) == 0)
                    Budget.Current.Limit(Text.Length); // escapes make it longer
                switch (c)
                {
                    case '"': Text.Append("\\\""); break;
                    case '\\': Text.Append("\\\\"); break;
                    case '\n': Text.Append("\\n"); break;
                    case '\r': Text.Append("\\r"); break;
                    case '\t': Text.Append("\\t"); break;
                    case '\f': Text.Append("\\f"); break;
                    case '\b': Text.Append("\\b"); break;
                    case < ' ': Text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"); break;
                    case > '~' when ensureAscii: Text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"); break;
                    default: Text.Append(c); break;
                }
            }

            Text.Append('"');
        }
    }
}
