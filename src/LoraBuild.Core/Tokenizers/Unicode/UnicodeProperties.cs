// The names inside \p{…}: general categories, and the scripts that published tokenizers ask for.
using System.Globalization;

namespace LoraBuild.Core.Tokenizers.Unicode;

internal static class UnicodeProperties
{
    public const string Known = "the general categories (L, Lu, Ll, Lt, Lm, Lo, M, Mn, Mc, Me, N, Nd, Nl, No, P, Pc, Pd, Ps, Pe, Pi, Pf, Po, S, Sm, Sc, Sk, So, Z, Zs, Zl, Zp, C, Cc, Cf, Cn, Co) and Han";

    /// <summary>The test of a property, or null where the name is not known. Case, spaces, hyphens and underscores do not count.</summary>
    public static Func<int, bool>? Find(string name)
    {
        string key = new string([.. name.Where(c => c is not (' ' or '-' or '_'))]).ToLowerInvariant();
        if (key == "han")
            return IsHan;
        int? mask = key switch
        {
            "l" or "letter" => UnicodeClasses.Letter,
            "m" or "mark" => UnicodeClasses.Mark,
            "n" or "number" => UnicodeClasses.Number,
            "p" or "punctuation" => UnicodeClasses.Punctuation,
            "s" or "symbol" => UnicodeClasses.Symbol,
            "z" or "separator" => UnicodeClasses.Separator,
            "c" or "other" => UnicodeClasses.Other,
            "lu" => UnicodeClasses.Mask(UnicodeCategory.UppercaseLetter),
            "ll" => UnicodeClasses.Mask(UnicodeCategory.LowercaseLetter),
            "lt" => UnicodeClasses.Mask(UnicodeCategory.TitlecaseLetter),
            "lm" => UnicodeClasses.Mask(UnicodeCategory.ModifierLetter),
            "lo" => UnicodeClasses.Mask(UnicodeCategory.OtherLetter),
            "mn" => UnicodeClasses.Mask(UnicodeCategory.NonSpacingMark),
            "mc" => UnicodeClasses.Mask(UnicodeCategory.SpacingCombiningMark),
            "me" => UnicodeClasses.Mask(UnicodeCategory.EnclosingMark),
            "nd" => UnicodeClasses.Mask(UnicodeCategory.DecimalDigitNumber),
            "nl" => UnicodeClasses.Mask(UnicodeCategory.LetterNumber),
            "no" => UnicodeClasses.Mask(UnicodeCategory.OtherNumber),
            "pc" => UnicodeClasses.Mask(UnicodeCategory.ConnectorPunctuation),
            "pd" => UnicodeClasses.Mask(UnicodeCategory.DashPunctuation),
            "ps" => UnicodeClasses.Mask(UnicodeCategory.OpenPunctuation),
            "pe" => UnicodeClasses.Mask(UnicodeCategory.ClosePunctuation),
            "pi" => UnicodeClasses.Mask(UnicodeCategory.InitialQuotePunctuation),
            "pf" => UnicodeClasses.Mask(UnicodeCategory.FinalQuotePunctuation),
            "po" => UnicodeClasses.Mask(UnicodeCategory.OtherPunctuation),
            "sm" => UnicodeClasses.Mask(UnicodeCategory.MathSymbol),
            "sc" => UnicodeClasses.Mask(UnicodeCategory.CurrencySymbol),
            "sk" => UnicodeClasses.Mask(UnicodeCategory.ModifierSymbol),
            "so" => UnicodeClasses.Mask(UnicodeCategory.OtherSymbol),
            "zs" => UnicodeClasses.Mask(UnicodeCategory.SpaceSeparator),
            "zl" => UnicodeClasses.Mask(UnicodeCategory.LineSeparator),
            "zp" => UnicodeClasses.Mask(UnicodeCategory.ParagraphSeparator),
            "cc" => UnicodeClasses.Mask(UnicodeCategory.Control),
            "cf" => UnicodeClasses.Mask(UnicodeCategory.Format),
            "cn" => UnicodeClasses.Mask(UnicodeCategory.OtherNotAssigned),
            "co" => UnicodeClasses.Mask(UnicodeCategory.PrivateUse),
            _ => null,
        };
        return mask is { } bits ? c => UnicodeClasses.IsIn(c, bits) : null;
    }

    // Scripts.txt of Unicode 16, script Han.
    private static bool IsHan(int c) => c is (>= 0x2E80 and <= 0x2E99) or (>= 0x2E9B and <= 0x2EF3) or (>= 0x2F00 and <= 0x2FD5) or 0x3005 or 0x3007
        or (>= 0x3021 and <= 0x3029) or (>= 0x3038 and <= 0x303B) or (>= 0x3400 and <= 0x4DBF) or (>= 0x4E00 and <= 0x9FFF) or (>= 0xF900 and <= 0xFA6D)
        or (>= 0xFA70 and <= 0xFAD9) or (>= 0x16FE2 and <= 0x16FE3) or (>= 0x16FF0 and <= 0x16FF1) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B739)
        or (>= 0x2B740 and <= 0x2B81D) or (>= 0x2B820 and <= 0x2CEA1) or (>= 0x2CEB0 and <= 0x2EBE0) or (>= 0x2EBF0 and <= 0x2EE5D) or (>= 0x2F800 and <= 0x2FA1D)
        or (>= 0x30000 and <= 0x3134A) or (>= 0x31350 and <= 0x323AF);
}
