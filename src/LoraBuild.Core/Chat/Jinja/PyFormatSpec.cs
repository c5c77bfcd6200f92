// Python's format specifications ("{:>8.2f}"): [[fill]align][sign][z][#][0][width][grouping][.precision][type].
using System.Globalization;
using System.Numerics;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyFormatSpec
{
    public static string Format(object? value, string spec)
    {
        if (spec.Length == 0)
            return PyRepr.Str(value);
        if (!PyOps.IsNumber(value) && PyOps.Text(value) is null)
            throw PyOps.Type($"unsupported format string passed to {PyOps.TypeName(value)}.__format__");
        List<string> points = PyText.Split(spec);
        int at = 0;
        string fill = " ";
        char align = '\0';
        if (points.Count > 1 && points[1] is "<" or ">" or "=" or "^" && points.Count > 1)
            (fill, align, at) = (points[0], points[1][0], 2);
        else if (points[0] is "<" or ">" or "=" or "^")
            (align, at) = (points[0][0], 1);
        string sign = at < points.Count && points[at] is "+" or "-" or " " ? points[at++] : "-";
        if (at < points.Count && points[at] == "z")
            at++;
        bool isAlternate = at < points.Count && points[at] == "#";
        at += isAlternate ? 1 : 0;
        if (at < points.Count && points[at] == "0")
        {
            at++;
            if (align == '\0')
                (fill, align) = ("0", PyOps.IsNumber(value) ? '=' : '<');
        }

        int width = Number(points, ref at) ?? 0;
        char grouping = at < points.Count && points[at] is "," or "_" ? points[at++][0] : '\0';
        int? precision = null;
        if (at < points.Count && points[at] == ".")
        {
            at++;
            precision = Number(points, ref at) ?? throw Value("Format specifier missing precision");
        }

        char type = at < points.Count ? points[at++][0] : '\0';
        if (at < points.Count)
            throw Value("Invalid format specifier");
        if (PyOps.Text(value) is string text)
        {
            if (type is not ('\0' or 's'))
                throw Value($"Unknown format code '{type}' for object of type 'str'");
            text = precision is int cut ? text[..PyText.Utf16Index(text, cut)] : text;
            return Pad("", text, fill, align == '\0' ? '<' : align, width);
        }

        if (value is bool b && type is '\0')
            return Pad("", b ? "True" : "False", fill, align == '\0' ? '<' : align, width);
        (bool isNegative, string body) = Digits(value, type, precision, isAlternate, grouping);
        string prefix = isNegative ? "-" : sign == "-" ? "" : sign;
        if (isAlternate && type is 'x' or 'X' or 'o' or 'b' && isAlternate)
            prefix += "0" + type;
        return Pad(prefix, body, fill, align == '\0' ? '>' : align, width);
    }

    public static string Radix(BigInteger value, int radix)
    {
        if (value.IsZero)
            return "0";
        Budget.Current.Characters(value.GetBitLength());
        string hex = value.ToString("x", CultureInfo.InvariantCulture).TrimStart('0');
        if (radix == 16)
            return hex;
        string bits = string.Concat(hex.Select(h => Convert.ToString(Convert.ToInt32(h.ToString(), 16), 2).PadLeft(4, '0'))).TrimStart('0');
        if (radix == 2)
            return bits;
        bits = bits.PadLeft((bits.Length + 2) / 3 * 3, '0');
        return string.Concat(bits.Chunk(3).Select(b => (char)('0' + ((b[0] - '0') * 4) + ((b[1] - '0') * 2) + b[2] - '0')));
    }

    /// <summary>Without a sign.</summary>
    public static string Float(double value, char type, int precision, bool isAlternate)
    {
        if (!double.IsFinite(value))
            return char.IsUpper(type) ? (double.IsNaN(value) ? "NAN" : "INF") : double.IsNaN(value) ? "nan" : "inf";
        return type switch
        {
            'f' or 'F' => PyNumberText.Fixed(value, precision),
            'e' or 'E' => PyNumberText.Exponent(value, precision, type),
            'g' or 'G' => PyNumberText.General(value, precision, isAlternate, type == 'G' ? 'E' : 'e'),
            '%' => PyNumberText.Fixed(value * 100, precision) + "%",
            _ => throw Value($"Unknown format code '{type}' for object of type 'float'"),
        };
    }

    private static (bool IsNegative, string Body) Digits(object? value, char type, int? precision, bool isAlternate, char grouping)
    {
        if (value is not double && type is '\0' or 'd' or 'n' or 'x' or 'X' or 'o' or 'b' or 'c' && value is not double)
        {
            BigInteger whole = PyOps.Integer(value)!.Value;
            BigInteger size = BigInteger.Abs(whole);
            string digits = type switch
            {
                'x' => Radix(size, 16),
                'X' => Radix(size, 16).ToUpperInvariant(),
                'o' => Radix(size, 8),
                'b' => Radix(size, 2),
                'c' => char.ConvertFromUtf32((int)size),
                _ => PyRepr.Int(size),
            };
            return (whole.Sign < 0, Group(digits, grouping, type is 'x' or 'X' or 'o' or 'b' ? 4 : 3));
        }

        double real = PyArithmetic.ToDouble(value);
        string body = type == '\0'
            ? precision is int significant ? WithPoint(PyNumberText.General(real, significant, false)) : PyRepr.Float(Math.Abs(real))
            : Float(real, type == 'n' ? 'g' : type, precision ?? 6, isAlternate);
        return (double.IsNegative(real) && !double.IsNaN(real), Group(body, grouping, 3));
    }

    private static string WithPoint(string number) => number.Contains('.', StringComparison.Ordinal) || number.Contains('e', StringComparison.Ordinal) ? number : number + ".0";

    private static string Group(string digits, char separator, int size)
    {
        if (separator == '\0')
            return digits;
        int end = digits.IndexOfAny(['.', 'e', '%']);
        end = end < 0 ? digits.Length : end;
        StringBuilder result = new();
        for (int i = 0; i < end; i++)
        {
            if (i > 0 && (end - i) % size == 0)
                result.Append(separator);
            result.Append(digits[i]);
        }

        return result.Append(digits, end, digits.Length - end).ToString();
    }

    private static string Pad(string prefix, string body, string fill, char align, int width)
    {
        int missing = width - prefix.Length - PyText.Length(body);
        if (missing <= 0)
            return prefix + body;
        Budget.Current.Text((long)width * fill.Length);
        return align switch
        {
            '<' => prefix + body + Fill(missing),
            '^' => Fill(missing / 2) + prefix + body + Fill(missing - (missing / 2)),
            '=' => prefix + Fill(missing) + body,
            _ => Fill(missing) + prefix + body,
        };

        string Fill(int count) => fill.Length == 1 ? new string(fill[0], count) : string.Concat(Enumerable.Repeat(fill, count));
    }

    private static int? Number(List<string> points, ref int at)
    {
        StringBuilder digits = new();
        while (at < points.Count && points[at].Length == 1 && char.IsAsciiDigit(points[at][0]))
            digits.Append(points[at++]);
        return digits.Length == 0 ? null : digits.Length > 9 ? int.MaxValue : int.Parse(digits.ToString(), CultureInfo.InvariantCulture);
    }

    private static JinjaException Value(string message) => new(JinjaErrorKind.ValueError, message);
}
