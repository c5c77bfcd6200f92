// str() and repr() of template values, character for character as Python prints them.
using System.Globalization;
using System.Numerics;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyRepr
{
    public static string Str(object? value) => value switch
    {
        string s => s,
        Markup m => m.Text,
        Undefined => "",
        _ => Repr(value),
    };

    public static string Repr(object? value)
    {
        StringBuilder text = new();
        Append(text, value);
        return text.ToString();
    }

    /// <summary>Shortest digits that give the same number back; an exponent below 1e-4 and from 1e16 on.</summary>
    public static string Float(double value)
    {
        if (double.IsNaN(value))
            return "nan";
        if (double.IsInfinity(value))
            return value > 0 ? "inf" : "-inf";
        string scientific = value.ToString("E16", CultureInfo.InvariantCulture);
        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        (string digits, int exponent) = Digits(shortest);
        if (digits == "0")
            return scientific[0] == '-' ? "-0.0" : "0.0";
        string sign = value < 0 ? "-" : "";
        if (exponent is < -4 or >= 16)
        {
            string fraction = digits.Length > 1 ? "." + digits[1..] : "";
            return string.Create(CultureInfo.InvariantCulture, $"{sign}{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
        }

        if (exponent < 0)
            return sign + "0." + new string('0', -exponent - 1) + digits;
        return digits.Length <= exponent + 1
            ? sign + digits.PadRight(exponent + 1, '0') + ".0"
            : sign + digits[..(exponent + 1)] + "." + digits[(exponent + 1)..];
    }

    public static string Int(BigInteger value)
    {
        if (value.GetBitLength() > 14_000) // Python: at most 4300 digits
            throw new JinjaException(JinjaErrorKind.ValueError, "Exceeds the limit (4300 digits) for integer string conversion");
        return PyArithmetic.Charged(PyArithmetic.Charged(value)).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Significant digits without zeros at the ends, and the power of ten of the first.</summary>
    private static (string Digits, int Exponent) Digits(string number)
    {
        string mantissa = number.TrimStart('-');
        int exponent = 0;
        int e = mantissa.IndexOf('E', StringComparison.Ordinal);
        if (e >= 0)
        {
            exponent = int.Parse(mantissa.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            mantissa = mantissa[..e];
        }

        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        string all = point < 0 ? mantissa : mantissa.Remove(point, 1);
        exponent += (point < 0 ? mantissa.Length : point) - 1;
        int zeros = 0;
        while (zeros < all.Length - 1 && all[zeros] == '0')
            zeros++;
        string digits = all[zeros..].TrimEnd('0');
        return digits.Length == 0 ? ("0", 0) : (digits, exponent - zeros);
    }

    private static void Append(StringBuilder text, object? value)
    {
        Budget.Current.Descend();
        Budget.Current.Step(8);
        Budget.Current.Limit(text.Length);
        switch (value)
        {
            case null: text.Append("None"); break;
            case bool b: text.Append(b ? "True" : "False"); break;
            case BigInteger i: text.Append(Int(i)); break;
            case double d: text.Append(Float(d)); break;
            case string s: AppendQuoted(text, s); break;
            case Markup m: text.Append("Markup("); AppendQuoted(text, m.Text); text.Append(')'); break;
            case Undefined: text.Append("Undefined"); break;
            case PyList list: AppendAll(text, "[", list.Items, "]"); break;
            case PyTuple { Items.Length: 1 } tuple: AppendAll(text, "(", tuple.Items, ",)"); break;
            case PyTuple tuple: AppendAll(text, "(", tuple.Items, ")"); break;
            case PyDict dict: AppendDict(text, dict); break;
            case PyDictView { Kind: DictViewKind.Keys } view: AppendAll(text, "dict_keys([", view.Items(), "])"); break;
            case PyDictView { Kind: DictViewKind.Values } view: AppendAll(text, "dict_values([", view.Items(), "])"); break;
            case PyDictView view: AppendAll(text, "dict_items([", view.Items(), "])"); break;
            case PyRange range:
                text.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}");
                text.Append(range.Step.IsOne ? ")" : string.Create(CultureInfo.InvariantCulture, $", {range.Step})"));
                break;
            case PyBytes bytes: AppendBytes(text, bytes.Bytes); break;
            case PyNamespace ns: text.Append("<Namespace "); AppendDict(text, ns.Members); text.Append('>'); break;
            case PyGenerator generator: text.Append(CultureInfo.InvariantCulture, $"<generator object {generator.Name} at 0x7f0000000000>"); break;
            case PyFunction function: text.Append(CultureInfo.InvariantCulture, $"<function {function.Name} at 0x7f0000000000>"); break;
            case IPyObject o: text.Append(CultureInfo.InvariantCulture, $"<{o.TypeName}>"); break;
            default: throw new InvalidOperationException($"no repr for {value.GetType()}");
        }

        Budget.Current.Ascend();
    }

    private static void AppendAll(StringBuilder text, string open, IEnumerable<object?> items, string close)
    {
        text.Append(open);
        bool isFirst = true;
        foreach (object? item in items)
        {
            if (!isFirst)
                text.Append(", ");
            isFirst = false;
            Append(text, item);
        }

        text.Append(close);
    }

    private static void AppendDict(StringBuilder text, PyDict dict)
    {
        text.Append('{');
        for (int i = 0; i < dict.Count; i++)
        {
            if (i > 0)
                text.Append(", ");
            Append(text, dict.Entries[i].Key);
            text.Append(": ");
            Append(text, dict.Entries[i].Value);
        }

        text.Append('}');
    }

    /// <summary>Single quotes, unless only those occur inside.</summary>
    private static void AppendQuoted(StringBuilder text, string s)
    {
        Budget.Current.Limit((long)text.Length + s.Length);
        Budget.Current.Step(s.Length >> 2);
        char quote = s.Contains('\'', StringComparison.Ordinal) && !s.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        text.Append(quote);
        for (int i = 0; i < s.Length; i++)
        {
            if ((i & 0xFFFF) == 0xFFFF)
                Budget.Current.Limit(text.Length); // escapes make it longer
            char c = s[i];
            bool isPair = char.IsHighSurrogate(c) && i + 1 < s.Length && char.IsLowSurrogate(s[i + 1]);
            int code = isPair ? char.ConvertToUtf32(c, s[i + 1]) : c;
            if (c == quote || c == '\\')
                text.Append('\\').Append(c);
            else if (c is '\n' or '\r' or '\t')
                text.Append('\\').Append(c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
            else if (PyText.IsPrintable(code))
                text.Append(s, i, isPair ? 2 : 1);
            else
                text.Append(code < 256 ? "\\x" : code < 65536 ? "\\u" : "\\U").Append(code.ToString(code < 256 ? "x2" : code < 65536 ? "x4" : "x8", CultureInfo.InvariantCulture));
            if (isPair)
                i++;
        }

        text.Append(quote);
    }

    private static void AppendBytes(StringBuilder text, byte[] bytes)
    {
        bool isDouble = bytes.Contains((byte)'\'') && !bytes.Contains((byte)'"');
        char quote = isDouble ? '"' : '\'';
        text.Append('b').Append(quote);
        Budget.Current.Limit(text.Length + (bytes.Length * 4L));
        Budget.Current.Step(bytes.Length >> 1);
        foreach (byte b in bytes)
        {
            char c = (char)b;
            if (c == quote || c == '\\')
                text.Append('\\').Append(c);
            else if (c is '\n' or '\r' or '\t')
                text.Append('\\').Append(c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
            else if (b is >= 32 and < 127)
                text.Append(c);
            else
                text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}");
        }

        text.Append(quote);
    }
}
