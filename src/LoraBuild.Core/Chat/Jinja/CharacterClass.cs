// Python's classes of digits: decimal (a place value), digit (also superscripts), numeric (also fractions and number letters).
using System.Globalization;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class CharacterClass
{
    public static bool IsDecimal(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber;

    public static bool IsDigit(Rune rune) => Text(rune) is var text && CharUnicodeInfo.GetDigitValue(text, 0) >= 0;

    public static bool IsNumeric(Rune rune) => Text(rune) is var text && CharUnicodeInfo.GetNumericValue(text, 0) != -1;

    public static bool IsAlphanumeric(Rune rune) => Rune.IsLetter(rune) || IsNumeric(rune);

    /// <summary>0–9 of any script's decimal digit; -1 for anything else.</summary>
    public static int DecimalValue(Rune rune) => CharUnicodeInfo.GetDecimalDigitValue(Text(rune), 0);

    private static string Text(Rune rune) => rune.ToString();
}
