// int, float, round, filesizeformat.
using System.Globalization;
using System.Numerics;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class NumberFilters
{
    public static object? Int(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("int", 1, "value", "default", "base");
        object? fallback = Arguments.Or(bound[1], BigInteger.Zero);
        object? value = bound[0];
        PyOps.ThrowIfUndefined(value);
        if (PyOps.Text(value) is string text)
        {
            if (ParseInt(text, Filters.IntOf(Arguments.Or(bound[2], new BigInteger(10)))) is BigInteger parsed)
                return parsed;
            return ParseFloat(text) is double real && double.IsFinite(real) ? new BigInteger(real) : fallback;
        }

        if (value is double d)
            return double.IsInfinity(d) ? throw new JinjaException(JinjaErrorKind.OverflowError, "cannot convert float infinity to integer") : double.IsNaN(d) ? fallback : new BigInteger(d);
        return PyOps.Integer(value) is BigInteger i ? i : fallback;
    }

    public static object? Float(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("float", 1, "value", "default");
        PyOps.ThrowIfUndefined(bound[0]);
        if (PyOps.Text(bound[0]) is string text)
            return ParseFloat(text) ?? Arguments.Or(bound[1], 0.0);
        return PyOps.IsNumber(bound[0]) ? PyArithmetic.ToDouble(bound[0]) : Arguments.Or(bound[1], 0.0);
    }

    public static object? Round(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("round", 1, "value", "precision", "method");
        int precision = Filters.IntOf(Arguments.Or(bound[1], BigInteger.Zero));
        string method = PyRepr.Str(Arguments.Or(bound[2], "common"));
        PyOps.ThrowIfUndefined(bound[0]);
        if (!PyOps.IsNumber(bound[0]))
            throw PyOps.Type($"type {PyOps.TypeName(bound[0])} doesn't define __round__ method");
        if (method is not ("common" or "ceil" or "floor"))
            throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, "method must be common, ceil or floor");
        if (method == "common")
        {
            if (bound[0] is double real)
                return PyNumberText.Round(real, precision);
            return RoundInteger(PyOps.Integer(bound[0])!.Value, precision);
        }

        double power = Math.Pow(10, precision);
        double scaled = PyArithmetic.ToDouble(bound[0]) * power;
        return (method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled)) / power;
    }

    public static object? FileSize(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("filesizeformat", 1, "value", "binary");
        bool isBinary = PyOps.IsTrue(Arguments.Or(bound[1], false));
        double size = PyOps.Text(bound[0]) is string text
            ? ParseFloat(text) ?? throw new JinjaException(JinjaErrorKind.ValueError, $"could not convert string to float: {PyRepr.Repr(text)}")
            : Real(bound[0]);
        double unit = isBinary ? 1024 : 1000;
        if (size == 1)
            return "1 Byte";
        if (size < unit)
            return string.Create(CultureInfo.InvariantCulture, $"{(long)size} Bytes");
        string prefixes = "KMGTPEZY";
        double scale = unit;
        int i = 0;
        for (; i < prefixes.Length - 1 && size >= scale * unit; i++)
            scale *= unit;
        string prefix = isBinary ? prefixes[i] + "iB" : (i == 0 ? "k" : prefixes[i].ToString()) + "B";
        return PyNumberText.Fixed(size / scale, 1) + " " + prefix;
    }

    private static double Real(object? value)
    {
        PyOps.ThrowIfUndefined(value);
        return PyOps.IsNumber(value) ? PyArithmetic.ToDouble(value) : throw PyOps.Type($"float() argument must be a string or a real number, not '{PyOps.TypeName(value)}'");
    }

    private static BigInteger RoundInteger(BigInteger value, int digits)
    {
        if (digits >= 0)
            return value;
        if (-digits > 1 + (BigInteger.Abs(value).GetBitLength() / 3)) // log10(2) < 1/3
            return BigInteger.Zero;
        PyArithmetic.Charged(value);
        BigInteger unit = BigInteger.Pow(10, -digits);
        BigInteger floor = PyArithmetic.FloorDivide(value, unit);
        int order = ((value - (floor * unit)) * 2).CompareTo(unit);
        return (order > 0 || (order == 0 && !floor.IsEven) ? floor + 1 : floor) * unit;
    }

    /// <summary>Python's int(text, base): surrounding blanks, a sign, digits of any script, single underscores between digits.</summary>
    private static BigInteger? ParseInt(string text, int radix)
    {
        Budget.Current.Characters(text.Length * 2L);
        string digits = Digits(PyText.Trim(text));
        bool isNegative = digits.StartsWith('-');
        if (digits.Length > 0 && digits[0] is '+' or '-' && digits.Length > 0)
            digits = digits[1..];
        int prefixed = digits.Length > 1 && digits[0] == '0' ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (prefixed > 0 && (radix == prefixed || radix == 0))
            (digits, radix) = (digits[2..].TrimStart('_'), prefixed);
        radix = radix == 0 ? 10 : radix;
        if (digits.Length is 0 or > 4300 || digits[0] == '_' || digits[^1] == '_' || digits.Contains("__", StringComparison.Ordinal) || radix is < 2 or > 36)
            return null;
        return ParseDigits(digits, radix) is BigInteger value ? (isNegative ? -value : value) : null;
    }

    /// <summary>Digits in a base up to 36 with underscores between them; null where a digit is too large for the base.</summary>
    public static BigInteger? ParseDigits(ReadOnlySpan<char> digits, int radix)
    {
        Budget.Current.Step(1 + ((long)digits.Length * digits.Length >> 7));
        BigInteger value = BigInteger.Zero;
        foreach (char c in digits)
        {
            if (c == '_')
                continue;
            int digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : 99;
            if (digit >= radix)
                return null;
            value = (value * radix) + digit;
        }

        return value;
    }

    private static double? ParseFloat(string text)
    {
        Budget.Current.Characters(text.Length * 2L);
        string number = Digits(PyText.Trim(text));
        if (number.Length == 0 || number[0] == '_' || number[^1] == '_' || number.Contains("__", StringComparison.Ordinal))
            return null;
        number = number.Replace("_", "", StringComparison.Ordinal);
        string unsigned = PyCase.Lower(number.TrimStart('+', '-'));
        if (unsigned is "inf" or "infinity" or "nan" && number.Length - unsigned.Length <= 1)
            return unsigned == "nan" ? double.NaN : number[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        return double.TryParse(number, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out double value) && char.IsAsciiDigit(number[^1]) | number[^1] == '.'
            ? value
            : null;
    }

    /// <summary>Decimal digits of other scripts as ASCII.</summary>
    private static string Digits(string text)
    {
        StringBuilder result = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            int value = rune.IsAscii ? -1 : CharacterClass.DecimalValue(rune);
            if (rune.IsAscii)
                result.Append((char)rune.Value);
            else
                result.Append(value < 0 ? rune.ToString() : ((char)('0' + value)).ToString());
        }

        return result.ToString();
    }
}
