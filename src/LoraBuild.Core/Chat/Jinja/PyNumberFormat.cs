// Numbers by a format specification: signs, bases, grouping of digits, the float forms.
using System.Globalization;
using System.Numerics;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyNumberFormat
{
    public static string Format(PyFormatSpec spec, object value)
    {
        bool isWhole = value is not double && spec.Type is '\0' or 'd' or 'n' or 'x' or 'X' or 'o' or 'b' or 'c' && value is not double;
        (bool isNegative, string body) = isWhole ? Whole(spec, PyOps.Integer(value)!.Value) : Real(spec, value);
        string prefix = isNegative ? "-" : spec.Sign is '+' or ' ' ? spec.Sign.ToString() : "";
        if (isWhole && spec.IsAlternate && spec.Type is 'x' or 'X' or 'o' or 'b' && isWhole && spec.IsAlternate)
            prefix += "0" + spec.Type;
        if (spec.Grouping != '\0')
            body = Group(body, spec.Grouping, spec.Type is 'x' or 'X' or 'o' or 'b' ? 4 : 3, spec is { Fill: "0", Align: '=' } ? spec.Width - prefix.Length : 0);
        return spec.Pad(prefix, body, '>');
    }

    /// <summary>Digits in base 2, 8 or 16 of a number that is not negative.</summary>
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
    /// <param name="isAlternate">Keeps the point, and zeros at the end with g.</param>
    public static string Float(double value, char type, int precision, bool isAlternate)
    {
        if (!double.IsFinite(value))
            return (char.IsUpper(type) ? (double.IsNaN(value) ? "NAN" : "INF") : double.IsNaN(value) ? "nan" : "inf") + (type == '%' ? "%" : "");
        string text = type switch
        {
            'f' or 'F' => PyNumberText.Fixed(value, precision),
            'e' or 'E' => PyNumberText.Exponent(value, precision, type),
            'g' or 'G' => PyNumberText.General(value, precision, isAlternate, type == 'G' ? 'E' : 'e'),
            '%' => double.IsFinite(value * 100) ? PyNumberText.Fixed(value * 100, precision) + "%" : "inf%",
            _ => throw PyFormatSpec.Value($"Unknown format code '{type}' for object of type 'float'"),
        };
        if (!isAlternate || text.Contains('.', StringComparison.Ordinal))
            return text;
        int end = text.IndexOfAny(['e', 'E', '%']);
        return end < 0 ? text + "." : text.Insert(end, ".");
    }

    /// <summary>A character from its code, as %c and {:c} print it.</summary>
    public static string Character(BigInteger code) => code >= 0 && code <= 0x10FFFF
        ? (code >= 0x10000 ? char.ConvertFromUtf32((int)code) : ((char)(int)code).ToString())
        : throw new JinjaException(JinjaErrorKind.OverflowError, "%c arg not in range(0x110000)");

    private static (bool IsNegative, string Body) Whole(PyFormatSpec spec, BigInteger value)
    {
        if (spec.Precision is not null)
            throw PyFormatSpec.Value("Precision not allowed in integer format specifier");
        if (spec.HidesNegativeZero)
            throw PyFormatSpec.Value("Negative zero coercion (z) not allowed in format specifier with integer presentation type");
        if (spec.Type == 'c' && (spec.Sign != '\0' || spec.IsAlternate))
            throw PyFormatSpec.Value($"{(spec.Sign != '\0' ? "Sign" : "Alternate form (#)")} not allowed with integer format specifier 'c'");
        if (spec.Type == 'c')
            return (false, Character(value));
        BigInteger size = BigInteger.Abs(value);
        return (value.Sign < 0, spec.Type switch
        {
            'x' => Radix(size, 16),
            'X' => Radix(size, 16).ToUpperInvariant(),
            'o' => Radix(size, 8),
            'b' => Radix(size, 2),
            _ => PyRepr.Int(size),
        });
    }

    private static (bool IsNegative, string Body) Real(PyFormatSpec spec, object value)
    {
        if (spec.Type is not ('\0' or 'n' or 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%'))
            throw PyFormatSpec.Value($"Unknown format code '{spec.Type}' for object of type '{PyOps.TypeName(value)}'");
        double real = PyArithmetic.ToDouble(value);
        string body = spec.Type switch
        {
            '\0' when spec.Precision is int digits && double.IsFinite(real) => WithPoint(PyNumberText.General(real, digits, spec.IsAlternate, 'e', keepsFraction: true)),
            '\0' => PyRepr.Float(Math.Abs(real)),
            _ => Float(real, spec.Type == 'n' ? 'g' : spec.Type, spec.Precision ?? 6, spec.IsAlternate),
        };
        bool isNegative = double.IsNegative(real) && !double.IsNaN(real);
        bool isZero = spec.HidesNegativeZero && !body.AsSpan().ContainsAnyInRange('1', '9');
        return (isNegative && !isZero, body);
    }

    private static string WithPoint(string number) => number.Contains('.', StringComparison.Ordinal) || number.Contains('e', StringComparison.Ordinal) ? number : number + ".0";

    /// <summary>Separators between the digits before the point; zeros before them up to <paramref name="width"/>.</summary>
    private static string Group(string number, char separator, int size, int width)
    {
        int end = 0;
        while (end < number.Length && char.IsAsciiHexDigit(number[end]) && !(size == 3 && char.IsAsciiLetter(number[end])))
            end++;
        int rest = number.Length - end;
        Budget.Current.Text(Math.Max(0, width));
        int digits = Math.Max(1, end);
        while (digits + ((digits - 1) / size) + rest < width)
            digits++;
        string padded = number[..end].PadLeft(digits, '0');
        StringBuilder result = new();
        for (int i = 0; i < padded.Length; i++)
        {
            if (i > 0 && (padded.Length - i) % size == 0)
                result.Append(separator);
            result.Append(padded[i]);
        }

        return result.Append(number, end, rest).ToString();
    }
}
