// The character classes that tokenizers use, over code points, as Oniguruma (Unicode 16) and Rust's standard library define them.
using System.Globalization;
using System.Text;

namespace LoraBuild.Core.Tokenizers.Unicode;

internal static class UnicodeClasses
{
    public const int Replacement = 0xFFFD;

    public static UnicodeCategory Category(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint);

    /// <summary>A set of general categories as bits, so that one shift tests membership.</summary>
    public static int Mask(params ReadOnlySpan<UnicodeCategory> categories)
    {
        int mask = 0;
        foreach (UnicodeCategory category in categories)
            mask |= 1 << (int)category;
        return mask;
    }

    public static readonly int Letter = Mask(UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter, UnicodeCategory.ModifierLetter, UnicodeCategory.OtherLetter);
    public static readonly int Mark = Mask(UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark);
    public static readonly int Number = Mask(UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber, UnicodeCategory.OtherNumber);
    public static readonly int Punctuation = Mask(UnicodeCategory.ConnectorPunctuation, UnicodeCategory.DashPunctuation, UnicodeCategory.OpenPunctuation, UnicodeCategory.ClosePunctuation, UnicodeCategory.InitialQuotePunctuation, UnicodeCategory.FinalQuotePunctuation, UnicodeCategory.OtherPunctuation);
    public static readonly int Symbol = Mask(UnicodeCategory.MathSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.ModifierSymbol, UnicodeCategory.OtherSymbol);
    public static readonly int Separator = Mask(UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator);
    public static readonly int Other = Mask(UnicodeCategory.Control, UnicodeCategory.Format, UnicodeCategory.Surrogate, UnicodeCategory.PrivateUse, UnicodeCategory.OtherNotAssigned);

    private static readonly int WordMask = Letter | Mark | Mask(UnicodeCategory.LetterNumber, UnicodeCategory.DecimalDigitNumber, UnicodeCategory.ConnectorPunctuation);

    public static bool IsIn(int codePoint, int mask) => ((mask >> (int)Category(codePoint)) & 1) != 0;

    /// <summary>Unicode's White_Space property.</summary>
    public static bool IsWhiteSpace(int c) => c switch
    {
        < 0x80 => c is (>= 9 and <= 13) or 32,
        _ => c is 0x85 or 0xA0 or 0x1680 or (>= 0x2000 and <= 0x200A) or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000,
    };

    public static bool IsDecimalDigit(int c) => Category(c) == UnicodeCategory.DecimalDigitNumber;

    /// <summary>Nd, Nl or No, as Rust's <c>char::is_numeric</c> sees it (Unicode 17: thirteen more than Unicode 16).</summary>
    public static bool IsNumeric(int c) => c < 0x80 ? c is >= '0' and <= '9' : IsIn(c, Number) || c is (>= 0x11DE0 and <= 0x11DE9) or (>= 0x16FF4 and <= 0x16FF6);

    /// <summary><c>\w</c> outside brackets, and what <c>\b</c> looks at: Oniguruma takes some of Latin-1's numbers for word characters there.</summary>
    public static bool IsBareWord(int c) => IsWord(c) || c is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE);

    /// <summary>Alphabetic, mark, decimal digit or connector punctuation: Oniguruma's <c>\w</c> in brackets.</summary>
    public static bool IsWord(int c) => IsIn(c, WordMask)
        // Other_Alphabetic symbols: circled and squared Latin letters.
        || c is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    /// <summary>The word characters that are looked at beside a <c>single_word</c> added token: <see cref="IsWord"/> and the two joiners.</summary>
    public static bool IsWordBesideAddedToken(int c) => IsWord(c) || c is 0x200C or 0x200D;

    /// <summary>ASCII punctuation, or a punctuation category of the reference library's table (Unicode 8, where U+166D and U+111C9 were still punctuation).</summary>
    public static bool IsPunctuation(int c) => c < 0x80
        ? c is (>= 33 and <= 47) or (>= 58 and <= 64) or (>= 91 and <= 96) or (>= 123 and <= 126)
        : (IsIn(c, Punctuation) && !NormalizationData.IsNewPunctuation(c)) || c is 0x166D or 0x111C9;

    /// <summary>The ideographs that BERT isolates: CJK Unified Ideographs, their extensions A–E, and the compatibility blocks.</summary>
    public static bool IsBertIdeograph(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
        or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);

    /// <summary>The code point at <paramref name="index"/> and its length in UTF-16 units. A lone surrogate reads as U+FFFD.</summary>
    public static int CodePointAt(ReadOnlySpan<char> text, int index, out int units)
    {
        char c = text[index];
        units = 1;
        if (!char.IsSurrogate(c))
            return c;
        if (char.IsHighSurrogate(c) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            units = 2;
            return char.ConvertToUtf32(c, text[index + 1]);
        }

        return Replacement;
    }

    /// <summary>The code point that ends before <paramref name="index"/>, and its length in UTF-16 units.</summary>
    public static int CodePointBefore(ReadOnlySpan<char> text, int index, out int units)
    {
        char c = text[index - 1];
        units = 1;
        if (!char.IsSurrogate(c))
            return c;
        if (char.IsLowSurrogate(c) && index >= 2 && char.IsHighSurrogate(text[index - 2]))
        {
            units = 2;
            return char.ConvertToUtf32(text[index - 2], c);
        }

        return Replacement;
    }

    public static int Utf8Length(int codePoint) => codePoint switch { < 0x80 => 1, < 0x800 => 2, < 0x10000 => 3, _ => 4 };

    /// <summary>The text with every lone surrogate as U+FFFD: what a UTF-8 library can be given. The same instance where there is none.</summary>
    public static string WithoutLoneSurrogates(string text)
    {
        int first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0)
            return text;
        StringBuilder? mended = null;
        for (int i = first; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
                continue;
            }

            mended ??= new StringBuilder(text);
            mended[i] = (char)Replacement;
        }

        return mended?.ToString() ?? text;
    }
}
