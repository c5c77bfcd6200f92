// Python's printf-style formatting: "%s is %d" % (a, b), "%(name)s" % mapping.
using System.Numerics;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyPercentFormat
{
    public static string Format(string format, object? argument)
    {
        PyDict? mapping = argument as PyDict;
        object?[] values = argument is PyTuple tuple ? tuple.Items : [argument];
        int next = 0;
        Budget.Current.Characters(format.Length);
        StringBuilder result = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                result.Append(format[i]);
                continue;
            }

            Directive directive = new();
            i++;
            object? keyed = null;
            bool isKeyed = i < format.Length && format[i] == '(';
            if (isKeyed)
            {
                int close = format.IndexOf(')', i);
                if (close < 0)
                    throw Value("incomplete format key");
                if (mapping is null)
                    throw PyOps.Type("format requires a mapping");
                string key = format[(i + 1)..close];
                keyed = mapping.TryGet(key, out object? found) ? found : throw new JinjaException(JinjaErrorKind.LookupError, PyRepr.Repr(key));
                i = close + 1;
            }

            for (; i < format.Length && "-+ 0#".Contains(format[i], StringComparison.Ordinal); i++)
                directive.Flags += format[i];
            directive.Width = Number(format, ref i, Next) ?? 0;
            if (directive.Width < 0)
                (directive.Flags, directive.Width) = (directive.Flags + "-", -directive.Width);
            if (i < format.Length && format[i] == '.')
            {
                i++;
                directive.Precision = Number(format, ref i, Next) ?? 0;
            }

            while (i < format.Length && format[i] is 'l' or 'h' or 'L')
                i++;
            if (i >= format.Length)
                throw Value("incomplete format");
            if (format[i] == '%' && format[i - 1] == '%')
                result.Append('%');
            else
                result.Append(directive.Apply(format[i], isKeyed ? keyed : Next(), i));
            Budget.Current.Limit(result.Length);
            Budget.Current.Step(4);
        }

        // What has elements but is no tuple or text counts as a mapping, which need not be used up.
        if (next < values.Length && argument is not (PyDict or PyList or PyRange or PyBytes or Undefined) && (argument is PyTuple || next == 0))
            throw PyOps.Type("not all arguments converted during string formatting");
        return result.ToString();

        object? Next() => next < values.Length ? values[next++] : throw PyOps.Type("not enough arguments for format string");
    }

    private static int? Number(string format, ref int i, Func<object?> next)
    {
        if (i < format.Length && format[i] == '*')
        {
            i++;
            return PyOps.Integer(next()) is BigInteger given ? (int)BigInteger.Clamp(given, -int.MaxValue, int.MaxValue) : throw PyOps.Type("* wants int");
        }

        long? number = null;
        for (; i < format.Length && char.IsAsciiDigit(format[i]); i++)
            number = Math.Min(int.MaxValue, ((number ?? 0) * 10) + format[i] - '0');
        return (int?)number;
    }

    private static JinjaException Value(string message) => new(JinjaErrorKind.ValueError, message);

    private struct Directive()
    {
        public string Flags = "";
        public int Width = 0;
        public int? Precision = null;

        public readonly string Apply(char conversion, object? value, int position)
        {
            string sign = "";
            string body;
            switch (conversion)
            {
                case 's' or 'r' or 'a':
                    body = conversion == 's' ? PyRepr.Str(value) : PyRepr.Repr(value);
                    if (Precision is int length)
                        body = body[..PyText.Utf16Index(body, length)];
                    return Pad("", body, isNumber: false);
                case 'c':
                    body = PyOps.Integer(value) is BigInteger code
                        ? PyNumberFormat.Character(code)
                        : PyOps.Text(value) is string text && PyText.Length(text) == 1 ? text : throw PyOps.Type("%c requires int or char");
                    return Pad("", body, isNumber: false);
                case 'd' or 'i' or 'u':
                    BigInteger whole = value switch
                    {
                        Undefined missing => throw missing.Error(),
                        double d when double.IsNaN(d) => throw Value("cannot convert float NaN to integer"),
                        double d when double.IsInfinity(d) => throw new JinjaException(JinjaErrorKind.OverflowError, "cannot convert float infinity to integer"),
                        double d => new BigInteger(d),
                        _ => PyOps.Integer(value) ?? throw PyOps.Type($"%{conversion} format: a real number is required, not {PyOps.TypeName(value)}"),
                    };
                    sign = SignOf(whole.Sign < 0);
                    body = PyRepr.Int(BigInteger.Abs(whole));
                    break;
                case 'x' or 'X' or 'o':
                    BigInteger number = PyOps.Integer(value) ?? throw PyOps.Type($"%{conversion} format: an integer is required, not {PyOps.TypeName(value)}");
                    sign = SignOf(number.Sign < 0) + (Flags.Contains('#', StringComparison.Ordinal) ? "0" + conversion : "");
                    body = PyNumberFormat.Radix(BigInteger.Abs(number), conversion == 'o' ? 8 : 16);
                    body = conversion == 'X' ? body.ToUpperInvariant() : body;
                    break;
                case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                    PyOps.ThrowIfUndefined(value);
                    if (!PyOps.IsNumber(value))
                        throw PyOps.Type($"must be real number, not {PyOps.TypeName(value)}");
                    double real = PyArithmetic.ToDouble(value);
                    sign = SignOf(real < 0 || (real == 0 && double.IsNegative(real)));
                    return Pad(sign, PyNumberFormat.Float(real, conversion, Precision ?? 6, Flags.Contains('#', StringComparison.Ordinal)), isNumber: double.IsFinite(real));
                default:
                    throw Value($"unsupported format character '{conversion}' (0x{(int)conversion:x}) at index {position}");
            }

            if (Precision is int digits)
            {
                Budget.Current.Text(digits);
                body = body.PadLeft(digits, '0');
            }

            return Pad(sign, body, isNumber: true);
        }

        private readonly string SignOf(bool isNegative) => isNegative ? "-" : Flags.Contains('+', StringComparison.Ordinal) ? "+" : Flags.Contains(' ', StringComparison.Ordinal) ? " " : "";

        private readonly string Pad(string sign, string body, bool isNumber)
        {
            int missing = Width - sign.Length - PyText.Length(body);
            if (missing <= 0)
                return sign + body;
            Budget.Current.Text(Width);
            if (Flags.Contains('-', StringComparison.Ordinal))
                return sign + body + new string(' ', missing);
            return isNumber && Flags.Contains('0', StringComparison.Ordinal) ? sign + new string('0', missing) + body : new string(' ', missing) + sign + body;
        }
    }
}
