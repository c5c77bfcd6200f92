// A JSON number as Hugging Face's library reads it: with an error of up to one unit in the last place, which decides between segmentations that are equally good.
namespace LoraBuild.Core.Tokenizers.Models;

internal static class LibraryNumber
{
    private const int LargestPower = 308; // 1e308 is the largest power of ten that a double holds

    private static readonly double[] Powers = [.. Enumerable.Range(0, LargestPower + 1).Select(i => double.Parse($"1e{i}", System.Globalization.CultureInfo.InvariantCulture))];

    /// <summary>digits · 10^exponent in one rounded multiplication or division, with as many digits as fit 64 bits: what serde_json does without its feature <c>float_roundtrip</c>.</summary>
    /// <param name="number">A valid JSON number in UTF-8.</param>
    /// <returns>Infinite where the number is larger than any double.</returns>
    public static double Parse(ReadOnlySpan<byte> number)
    {
        bool isNegative = number[0] == '-';
        ulong digits = 0;
        long exponent = 0;
        bool isFull = false;
        bool isFraction = false;
        for (int at = isNegative ? 1 : 0; at < number.Length; at++)
        {
            byte b = number[at];
            if (b is (byte)'e' or (byte)'E')
            {
                exponent += Exponent(number[(at + 1)..]);
                break;
            }

            if (b == '.')
            {
                isFraction = true;
                isFull = false; // a long whole part ends early on its own; the fraction tries again
                continue;
            }

            int digit = b - '0';
            isFull = isFull || digits > (ulong.MaxValue - (ulong)digit) / 10;
            if (!isFull)
                digits = (digits * 10) + (ulong)digit;
            if (isFull != isFraction)
                exponent += isFull ? 1 : -1;
        }

        double value = Scale(digits, exponent);
        return isNegative ? -value : value;
    }

    private static double Scale(double value, long exponent)
    {
        for (; exponent < -LargestPower && value != 0; exponent += LargestPower)
            value /= Powers[LargestPower];
        if (value == 0)
            return 0;
        if (exponent > LargestPower)
            return double.PositiveInfinity;
        return exponent >= 0 ? value * Powers[exponent] : value / Powers[-exponent];
    }

    /// <summary>Beyond any double's where it does not fit.</summary>
    private static long Exponent(ReadOnlySpan<byte> digits)
    {
        bool isNegative = digits[0] == '-';
        long exponent = 0;
        foreach (byte b in digits[(digits[0] is (byte)'-' or (byte)'+' ? 1 : 0)..])
            exponent = Math.Min((exponent * 10) + b - '0', 1_000_000);
        return isNegative ? -exponent : exponent;
    }
}
