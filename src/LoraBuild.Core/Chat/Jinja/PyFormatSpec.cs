// Python's format specifications ("{:>8.2f}"): [[fill]align][sign][z][#][0][width][grouping][.precision][type].
using System.Globalization;
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

/// <param name="Align">&lt; &gt; = ^, or NUL where none is given.</param>
/// <param name="Sign">+, blank or -; NUL where none is given.</param>
/// <param name="Grouping">, or _; NUL where none is given.</param>
/// <param name="Type">The last letter, or NUL.</param>
internal sealed record PyFormatSpec(string Fill, char Align, char Sign, bool HidesNegativeZero, bool IsAlternate, int Width, char Grouping, int? Precision, char Type)
{
    /// <summary>format(value, spec).</summary>
    public static string Format(object? value, string spec)
    {
        if (spec.Length == 0)
            return PyRepr.Str(value);
        if (!PyOps.IsNumber(value) && PyOps.Text(value) is null)
            throw PyOps.Type($"unsupported format string passed to {PyOps.TypeName(value)}.__format__");
        PyFormatSpec parsed = Parse(spec, value);
        if (PyOps.Text(value) is string text)
            return parsed.FormatText(text);
        return PyNumberFormat.Format(parsed, value!);
    }

    public string Pad(string prefix, string body, char defaultAlign)
    {
        int missing = Width - prefix.Length - PyText.Length(body);
        if (missing <= 0)
            return prefix + body;
        Budget.Current.Text((long)Width * Fill.Length);
        return (Align == '\0' ? defaultAlign : Align) switch
        {
            '<' => prefix + body + Filling(missing),
            '^' => Filling(missing / 2) + prefix + body + Filling(missing - (missing / 2)),
            '=' => prefix + Filling(missing) + body,
            _ => Filling(missing) + prefix + body,
        };

        string Filling(int count) => Fill.Length == 1 ? new string(Fill[0], count) : string.Concat(Enumerable.Repeat(Fill, count));
    }

    public static JinjaException Value(string message) => new(JinjaErrorKind.ValueError, message);

    private static PyFormatSpec Parse(string spec, object? value)
    {
        List<string> points = PyText.Split(spec);
        int at = 0;
        string? fill = null;
        char align = '\0';
        if (points.Count > 1 && points[1] is "<" or ">" or "=" or "^" && points.Count > 1)
            (fill, align, at) = (points[0], points[1][0], 2);
        else if (points[0] is "<" or ">" or "=" or "^")
            (align, at) = (points[0][0], 1);
        char sign = Here() is "+" or "-" or " " ? points[at++][0] : '\0';
        bool hidesNegativeZero = Skip("z");
        bool isAlternate = Skip("#");
        if (fill is null && Skip("0"))
        {
            fill = "0";
            align = align == '\0' && PyOps.IsNumber(value) ? '=' : align;
        }

        int width = Number(points, ref at) ?? 0;
        char grouping = Here() is "," or "_" ? points[at++][0] : '\0';
        if (grouping != '\0' && Here() is "," or "_" && grouping != '\0')
            throw Value(Here() == grouping.ToString() ? $"Cannot specify '{grouping}' with '{grouping}'." : "Cannot specify both ',' and '_'.");
        int? precision = Skip(".") ? Number(points, ref at) ?? throw Value("Format specifier missing precision") : null;
        char type = at < points.Count ? points[at++][0] : '\0';
        if (at < points.Count)
            throw Value($"Invalid format specifier {PyRepr.Repr(spec)} for object of type '{PyOps.TypeName(value)}'");
        if (grouping != '\0' && !(type is '\0' or 'd' or 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%' || (grouping == '_' && type is 'b' or 'o' or 'x' or 'X' && grouping == '_')))
            throw Value($"Cannot specify '{grouping}' with '{type}'.");
        if (grouping != '\0' && type == '\0' && PyOps.Text(value) is not null)
            throw Value($"Cannot specify '{grouping}' with 's'.");
        return new PyFormatSpec(fill ?? " ", align, sign, hidesNegativeZero, isAlternate, width, grouping, precision, type);

        string Here() => at < points.Count ? points[at] : "";

        bool Skip(string wanted)
        {
            bool isThere = Here() == wanted;
            at += isThere ? 1 : 0;
            return isThere;
        }
    }

    private string FormatText(string text)
    {
        if (Type is not ('\0' or 's'))
            throw Value($"Unknown format code '{Type}' for object of type 'str'");
        if (Sign != '\0')
            throw Value($"{(Sign == ' ' ? "Space" : "Sign")} not allowed in string format specifier");
        if (HidesNegativeZero)
            throw Value("Negative zero coercion (z) not allowed in string format specifier");
        if (IsAlternate)
            throw Value("Alternate form (#) not allowed in string format specifier");
        if (Align == '=')
            throw Value("'=' alignment not allowed in string format specifier");
        return Pad("", Precision is int cut ? text[..PyText.Utf16Index(text, cut)] : text, '<');
    }

    private static int? Number(List<string> points, ref int at)
    {
        int start = at;
        while (at < points.Count && points[at].Length == 1 && char.IsAsciiDigit(points[at][0]))
            at++;
        string digits = string.Concat(points.GetRange(start, at - start));
        return digits.Length == 0 ? null : BigInteger.Parse(digits, CultureInfo.InvariantCulture) is var number && number <= int.MaxValue ? (int)number : int.MaxValue;
    }
}
