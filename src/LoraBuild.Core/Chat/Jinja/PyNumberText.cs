// Numbers to text with a given precision, rounded as Python rounds: exactly, ties to even.
using System.Globalization;
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyNumberText
{
    private const int MaxPrecision = 2000;

    /// <summary>Digits behind the point, without a sign. The value is finite.</summary>
    public static string Fixed(double value, int precision)
    {
        CheckPrecision(precision);
        string digits = Scaled(Math.Abs(value), precision).ToString(CultureInfo.InvariantCulture).PadLeft(precision + 1, '0');
        return precision == 0 ? digits : digits[..^precision] + "." + digits[^precision..];
    }

    /// <summary>d.ddde±xx, without a sign.</summary>
    public static string Exponent(double value, int precision, char e = 'e')
    {
        CheckPrecision(precision);
        string text = Math.Abs(value).ToString((e == 'E' ? "E" : "e") + precision.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        int at = text.IndexOf(e, StringComparison.Ordinal);
        int exponent = int.Parse(text.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"{text[..at]}{e}{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
    }

    /// <summary>The shorter of both forms with so many significant digits, without a sign.</summary>
    /// <param name="keepsFraction">A whole number that would fill all digits takes the exponent, so that ".0" finds room.</param>
    public static string General(double value, int precision, bool keepsZeros, char e = 'e', bool keepsFraction = false)
    {
        precision = Math.Max(1, precision);
        CheckPrecision(precision);
        string scientific = Exponent(value, precision - 1, e);
        int at = scientific.IndexOf(e, StringComparison.Ordinal);
        int exponent = value == 0 ? 0 : int.Parse(scientific.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (exponent < -4 || exponent >= precision - (keepsFraction ? 1 : 0))
            return (keepsZeros ? scientific[..at] : TrimZeros(scientific[..at])) + scientific[at..];
        string plain = Fixed(value, precision - 1 - exponent);
        return keepsZeros ? plain : TrimZeros(plain);
    }

    /// <summary>Python's round(value, digits).</summary>
    public static double Round(double value, int digits)
    {
        if (!double.IsFinite(value) || value == 0 || digits > 323)
            return value;
        if (digits < -308)
            return Math.CopySign(0, value);
        Budget.Current.Step(10);
        BigInteger scaled = Scaled(Math.Abs(value), digits);
        string text = digits >= 0
            ? scaled.ToString(CultureInfo.InvariantCulture) + "E-" + digits.ToString(CultureInfo.InvariantCulture)
            : scaled.ToString(CultureInfo.InvariantCulture) + "E" + (-digits).ToString(CultureInfo.InvariantCulture);
        return Math.CopySign(double.Parse(text, CultureInfo.InvariantCulture), value);
    }

    /// <summary>value · 10^digits rounded half to even, computed without loss. The value is finite and not negative.</summary>
    private static BigInteger Scaled(double value, int digits)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)(bits >> 52) & 0x7FF;
        BigInteger mantissa = (bits & 0xFFFFFFFFFFFFFL) | (exponent == 0 ? 0 : 1L << 52);
        exponent = Math.Max(exponent, 1) - 1075;
        BigInteger numerator = mantissa;
        BigInteger denominator = BigInteger.One;
        if (exponent >= 0)
            numerator <<= exponent;
        else
            denominator <<= -exponent;
        if (digits >= 0)
            numerator *= BigInteger.Pow(10, digits);
        else
            denominator *= BigInteger.Pow(10, -digits);
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger remainder);
        int order = (remainder * 2).CompareTo(denominator);
        return order > 0 || (order == 0 && !quotient.IsEven) ? quotient + 1 : quotient;
    }

    private static string TrimZeros(string text) => text.Contains('.', StringComparison.Ordinal) ? text.TrimEnd('0').TrimEnd('.') : text;

    private static void CheckPrecision(int precision)
    {
        Budget.Current.Step(4 + (precision * 4L));
        if (precision > MaxPrecision)
            throw new JinjaException(JinjaErrorKind.LimitError, $"a precision of {precision} digits; at most {MaxPrecision} are allowed");
    }
}
