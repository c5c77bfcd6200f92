// The names inside \p{…}: general categories, POSIX classes, scripts and binary properties, as Oniguruma has them.
using System.Globalization;

namespace LoraBuild.Core.Tokenizers.Unicode;

internal static class UnicodeProperties
{
    public const string PosixNames = "alnum, alpha, ascii, blank, cntrl, digit, graph, lower, print, punct, space, upper, word, xdigit";

    /// <summary>What a message can offer.</summary>
    public static string Known => $"the general categories (L, Lu, …), {PosixNames}, Any, Assigned, {string.Join(", ", PropertyTables.Names)}, and the short names of scripts (Latn, …)";

    /// <summary>Case, spaces, hyphens and underscores do not count in a name.</summary>
    public static string Key(string name) => new string([.. name.Where(c => c is not (' ' or '-' or '_'))]).ToLowerInvariant();

    /// <summary>The test of a POSIX bracket, or null where the name is not known. The name is taken as it is: <c>[[:Alpha:]]</c> is not one.</summary>
    public static Func<int, bool>? FindPosix(string name) => name switch
    {
        "alnum" => c => PropertyTables.Find("alphabetic")!.Contains(c) || UnicodeClasses.IsDecimalDigit(c),
        "alpha" => PropertyTables.Find("alphabetic")!.Contains,
        "ascii" => c => c < 128,
        "blank" => c => c == '\t' || UnicodeClasses.Category(c) == UnicodeCategory.SpaceSeparator,
        "cntrl" => c => UnicodeClasses.Category(c) == UnicodeCategory.Control,
        "digit" => UnicodeClasses.IsDecimalDigit,
        "graph" => c => !UnicodeClasses.IsWhiteSpace(c) && IsPrintable(c),
        "lower" => PropertyTables.Find("lowercase")!.Contains,
        // The separators of lines and paragraphs are not printed.
        "print" => c => c is not (0x2028 or 0x2029) && IsPrintable(c),
        "punct" => c => UnicodeClasses.IsIn(c, UnicodeClasses.Punctuation | UnicodeClasses.Symbol),
        "space" => UnicodeClasses.IsWhiteSpace,
        "upper" => PropertyTables.Find("uppercase")!.Contains,
        "word" => UnicodeClasses.IsWord,
        "xdigit" => c => c < 128 && char.IsAsciiHexDigit((char)c),
        _ => null,
    };

    private static bool IsPrintable(int c) =>
        !UnicodeClasses.IsIn(c, UnicodeClasses.Mask(UnicodeCategory.Control, UnicodeCategory.OtherNotAssigned, UnicodeCategory.Surrogate));

    /// <summary>The test of a property, or null where the name is not known.</summary>
    public static Func<int, bool>? Find(string name)
    {
        string key = Key(name);
        int? mask = key switch
        {
            "l" or "letter" => UnicodeClasses.Letter,
            "lc" or "casedletter" => UnicodeClasses.Mask(UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter),
            "m" or "mark" or "combiningmark" => UnicodeClasses.Mark,
            "n" or "number" => UnicodeClasses.Number,
            "p" or "punctuation" or "punct" => UnicodeClasses.Punctuation,
            "s" or "symbol" => UnicodeClasses.Symbol,
            "z" or "separator" => UnicodeClasses.Separator,
            "c" or "other" => UnicodeClasses.Other,
            "lu" or "uppercaseletter" => UnicodeClasses.Mask(UnicodeCategory.UppercaseLetter),
            "ll" or "lowercaseletter" => UnicodeClasses.Mask(UnicodeCategory.LowercaseLetter),
            "lt" or "titlecaseletter" => UnicodeClasses.Mask(UnicodeCategory.TitlecaseLetter),
            "lm" or "modifierletter" => UnicodeClasses.Mask(UnicodeCategory.ModifierLetter),
            "lo" or "otherletter" => UnicodeClasses.Mask(UnicodeCategory.OtherLetter),
            "mn" or "nonspacingmark" => UnicodeClasses.Mask(UnicodeCategory.NonSpacingMark),
            "mc" or "spacingmark" => UnicodeClasses.Mask(UnicodeCategory.SpacingCombiningMark),
            "me" or "enclosingmark" => UnicodeClasses.Mask(UnicodeCategory.EnclosingMark),
            "nd" or "decimalnumber" => UnicodeClasses.Mask(UnicodeCategory.DecimalDigitNumber),
            "nl" or "letternumber" => UnicodeClasses.Mask(UnicodeCategory.LetterNumber),
            "no" or "othernumber" => UnicodeClasses.Mask(UnicodeCategory.OtherNumber),
            "pc" or "connectorpunctuation" => UnicodeClasses.Mask(UnicodeCategory.ConnectorPunctuation),
            "pd" or "dashpunctuation" => UnicodeClasses.Mask(UnicodeCategory.DashPunctuation),
            "ps" or "openpunctuation" => UnicodeClasses.Mask(UnicodeCategory.OpenPunctuation),
            "pe" or "closepunctuation" => UnicodeClasses.Mask(UnicodeCategory.ClosePunctuation),
            "pi" or "initialpunctuation" => UnicodeClasses.Mask(UnicodeCategory.InitialQuotePunctuation),
            "pf" or "finalpunctuation" => UnicodeClasses.Mask(UnicodeCategory.FinalQuotePunctuation),
            "po" or "otherpunctuation" => UnicodeClasses.Mask(UnicodeCategory.OtherPunctuation),
            "sm" or "mathsymbol" => UnicodeClasses.Mask(UnicodeCategory.MathSymbol),
            "sc" or "currencysymbol" => UnicodeClasses.Mask(UnicodeCategory.CurrencySymbol),
            "sk" or "modifiersymbol" => UnicodeClasses.Mask(UnicodeCategory.ModifierSymbol),
            "so" or "othersymbol" => UnicodeClasses.Mask(UnicodeCategory.OtherSymbol),
            "zs" or "spaceseparator" => UnicodeClasses.Mask(UnicodeCategory.SpaceSeparator),
            "zl" or "lineseparator" => UnicodeClasses.Mask(UnicodeCategory.LineSeparator),
            "zp" or "paragraphseparator" => UnicodeClasses.Mask(UnicodeCategory.ParagraphSeparator),
            "cc" or "control" => UnicodeClasses.Mask(UnicodeCategory.Control),
            "cf" or "format" => UnicodeClasses.Mask(UnicodeCategory.Format),
            "cn" or "unassigned" => UnicodeClasses.Mask(UnicodeCategory.OtherNotAssigned),
            "co" or "privateuse" => UnicodeClasses.Mask(UnicodeCategory.PrivateUse),
            _ => null,
        };
        if (mask is { } bits)
            return c => UnicodeClasses.IsIn(c, bits);
        return key switch
        {
            "any" => _ => true,
            "assigned" => c => UnicodeClasses.Category(c) != UnicodeCategory.OtherNotAssigned,
            "newline" => c => c == '\n',
            "posixpunct" => FindPosix("punct"),
            "whitespace" => UnicodeClasses.IsWhiteSpace,
            "asciihexdigit" => FindPosix("xdigit"),
            _ => FindPosix(key) ?? (PropertyTables.Find(key) is { } ranges ? ranges.Contains : null),
        };
    }
}
