// Python's str.format with the sandbox's rules: fields reach members as templates do.
using System.Globalization;
using System.Numerics;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyStringFormat
{
    public static string Format(Runtime runtime, string format, Arguments arguments)
    {
        int automatic = 0;
        return Expand(runtime, format, arguments, ref automatic, depth: 0);
    }

    private static string Expand(Runtime runtime, string format, Arguments arguments, ref int automatic, int depth)
    {
        if (depth > 1)
            throw Value("Max string recursion exceeded");
        Budget.Current.Characters(format.Length);
        StringBuilder result = new();
        for (int i = 0; i < format.Length; i++)
        {
            char c = format[i];
            if (c is not ('{' or '}'))
            {
                result.Append(c);
                continue;
            }

            if (i + 1 < format.Length && format[i + 1] == c)
            {
                result.Append(c);
                i++;
                continue;
            }

            if (c == '}')
                throw Value("Single '}' encountered in format string");
            int close = Close(format, i);
            result.Append(Field(runtime, format[(i + 1)..close], arguments, ref automatic, depth));
            Budget.Current.Limit(result.Length);
            i = close;
        }

        return result.ToString();
    }

    private static int Close(string format, int open)
    {
        int depth = 0;
        for (int i = open; i < format.Length; i++)
        {
            depth += format[i] == '{' ? 1 : format[i] == '}' ? -1 : 0;
            if (depth == 0)
                return i;
        }

        throw Value(open + 1 == format.Length ? "Single '{' encountered in format string" : "expected '}' before end of string");
    }

    private static string Field(Runtime runtime, string field, Arguments arguments, ref int automatic, int depth)
    {
        runtime.Budget.Step(4 + (field.Length >> 1) + arguments.Named.Count);
        int nameEnd = 0;
        int lastBracket = field.LastIndexOf(']');
        while (nameEnd < field.Length && field[nameEnd] is not ('!' or ':'))
            nameEnd = field[nameEnd] == '[' && lastBracket > nameEnd ? field.IndexOf(']', nameEnd) + 1 : nameEnd + 1;
        string name = field[..nameEnd];
        char conversion = '\0';
        int at = nameEnd;
        if (at < field.Length && field[at] == '!')
        {
            conversion = at + 1 < field.Length ? field[at + 1] : throw Value("end of string while looking for conversion specifier");
            at += 2;
        }

        string spec = at < field.Length && field[at] == ':' ? field[(at + 1)..] : "";
        object? value = Resolve(name, arguments, ref automatic);
        if (spec.Contains('{', StringComparison.Ordinal))
            spec = Expand(runtime, spec, arguments, ref automatic, depth + 1);
        value = conversion switch
        {
            '\0' => value,
            's' => PyRepr.Str(value),
            'r' or 'a' => PyRepr.Repr(value),
            _ => throw Value($"Unknown conversion specifier '{conversion}'"),
        };
        return PyFormatSpec.Format(value, spec);
    }

    private static object? Resolve(string name, Arguments arguments, ref int automatic)
    {
        int end = name.IndexOfAny(['.', '[']);
        string first = end < 0 ? name : name[..end];
        object? value;
        if (first.Length == 0 || first.All(char.IsAsciiDigit))
        {
            bool isAutomatic = first.Length == 0;
            if (isAutomatic ? automatic < 0 : automatic > 0)
                throw Value(isAutomatic ? "cannot switch from manual field specification to automatic field numbering" : "cannot switch from automatic field numbering to manual field specification");
            automatic = isAutomatic ? automatic + 1 : -1; // negative: the fields have numbers
            int index = isAutomatic ? automatic - 1 : first.Length > 6 ? int.MaxValue : int.Parse(first, CultureInfo.InvariantCulture);
            value = index < arguments.Positional.Length
                ? arguments.Positional[index]
                : throw new JinjaException(JinjaErrorKind.LookupError, $"Replacement index {index} out of range for positional args tuple");
        }
        else
        {
            int at = 0;
            while (at < arguments.Named.Count && arguments.Named[at].Key != first)
                at++;
            value = at < arguments.Named.Count ? arguments.Named[at].Value : throw new JinjaException(JinjaErrorKind.LookupError, PyRepr.Repr(first));
        }

        for (int i = end; i >= 0 && i < name.Length;)
        {
            bool isItem = name[i] == '[';
            int stop = isItem ? name.IndexOf(']', i) : name.IndexOfAny(['.', '['], i + 1);
            if (isItem && stop < 0)
                throw Value("Missing ']' in format string");
            stop = stop < 0 ? name.Length : stop;
            string part = name[(i + 1)..stop];
            value = isItem
                ? PyMembers.Item(value, BigInteger.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out BigInteger index) ? index : part)
                : PyMembers.Attribute(value, part);
            i = isItem ? stop + 1 : stop;
        }

        return value;
    }

    private static JinjaException Value(string message) => new(JinjaErrorKind.ValueError, message);
}
