// Arithmetic of numbers as in Python: unbounded integers, true division, floor division and modulo.
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyArithmetic
{
    public static object Apply(string op, object a, object b)
    {
        if (a is not double && b is not double)
            return Integers(op, PyOps.Integer(a)!.Value, PyOps.Integer(b)!.Value);
        return Floats(op, ToDouble(a), ToDouble(b));
    }

    public static double ToDouble(object? value)
    {
        if (value is double d)
            return d;
        double result = (double)PyOps.Integer(value)!.Value;
        return double.IsInfinity(result) ? throw new JinjaException(JinjaErrorKind.OverflowError, "int too large to convert to float") : result;
    }

    public static BigInteger FloorDivide(BigInteger a, BigInteger b)
    {
        BigInteger quotient = BigInteger.DivRem(a, b, out BigInteger remainder);
        return remainder.Sign != 0 && remainder.Sign != b.Sign ? quotient - 1 : quotient;
    }

    private static object Integers(string op, BigInteger a, BigInteger b)
    {
        if (b.IsZero && op is "/" or "//" or "%")
            throw new JinjaException(JinjaErrorKind.ZeroDivisionError, "division by zero");
        return op switch
        {
            "+" => PyOps.CheckBits(a + b),
            "-" => PyOps.CheckBits(a - b),
            "*" => Multiply(a, b),
            "/" => Divide(a, b),
            "//" => FloorDivide(Charged(a), Charged(b)),
            "%" => a - (FloorDivide(Charged(a), Charged(b)) * b),
            "**" => Power(a, b),
            _ => throw new InvalidOperationException(op),
        };
    }

    private static BigInteger Multiply(BigInteger a, BigInteger b)
    {
        return PyOps.CheckBits(Charged(a) * Charged(b));
    }

    /// <summary>Long integers cost what multiplying, dividing or printing them costs: the square of their length.</summary>
    public static BigInteger Charged(BigInteger value)
    {
        long bits = value.GetBitLength();
        if (bits > 64)
            Budget.Current.Step(1 + ((bits * bits) >> 15));
        return value;
    }

    /// <summary>Rounded once, as Python divides integers.</summary>
    private static double Divide(BigInteger a, BigInteger b)
    {
        if (BigInteger.Abs(a) < (BigInteger.One << 53) && BigInteger.Abs(b) < (BigInteger.One << 53))
            return (double)a / (double)b;
        Charged(a);
        Charged(b);
        // Scale the quotient to 66 or more bits; the sticky last bit makes the final rounding right.
        int shift = (int)(b.GetBitLength() - a.GetBitLength()) + 66;
        BigInteger numerator = BigInteger.Abs(a);
        BigInteger denominator = BigInteger.Abs(b);
        (numerator, denominator) = shift >= 0 ? (numerator << shift, denominator) : (numerator, denominator << -shift);
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger remainder);
        double result = Math.ScaleB((double)(remainder.IsZero ? quotient : quotient | BigInteger.One), -shift);
        if (double.IsInfinity(result))
            throw new JinjaException(JinjaErrorKind.OverflowError, "integer division result too large for a float");
        return a.Sign * b.Sign < 0 ? -result : result;
    }

    private static object Power(BigInteger a, BigInteger b)
    {
        if (b.Sign < 0)
            return Floats("**", ToDouble(a), ToDouble(b));
        if (BigInteger.Abs(a) > BigInteger.One)
        {
            BigInteger bits = b * (a.GetBitLength() + 1);
            if (bits > 40_000)
                throw new JinjaException(JinjaErrorKind.LimitError, "a power is too large");
            Budget.Current.Step(1 + ((long)(bits * bits) >> 15));
        }
        else
        {
            b = b.IsZero ? b : (b.IsEven ? 2 : 1); // 0, 1 and -1 only care for evenness
        }

        return PyOps.CheckBits(BigInteger.Pow(a, (int)b));
    }

    private static double Floats(string op, double a, double b)
    {
        if (b == 0 && op is "/" or "//" or "%")
            throw new JinjaException(JinjaErrorKind.ZeroDivisionError, "division by zero");
        switch (op)
        {
            case "+": return a + b;
            case "-": return a - b;
            case "*": return a * b;
            case "/": return a / b;
            case "//": return FloorDivide(a, b);
            case "%": return Modulo(a, b);
            case "**":
                if (a == 0 && b < 0)
                    throw new JinjaException(JinjaErrorKind.ZeroDivisionError, "zero to a negative power");
                double power = Math.Pow(a, b);
                if (double.IsInfinity(power) && double.IsFinite(a) && double.IsFinite(b))
                    throw new JinjaException(JinjaErrorKind.OverflowError, "(34, 'Numerical result out of range')");
                return power;
            default: throw new InvalidOperationException(op);
        }
    }

    private static double FloorDivide(double a, double b)
    {
        double quotient = (a - Modulo(a, b)) / b;
        if (quotient == 0)
            return Math.CopySign(0, a / b);
        double floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    /// <summary>Has the divisor's sign.</summary>
    private static double Modulo(double a, double b)
    {
        double remainder = a % b;
        if (remainder == 0)
            return Math.CopySign(0, b);
        return (b < 0) != (remainder < 0) ? remainder + b : remainder;
    }
}
