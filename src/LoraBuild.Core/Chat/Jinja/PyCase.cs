// Full Unicode case mappings as Python's str has them, where one code point becomes several or titlecase differs.
// The tables are SpecialCasing.txt's and CaseFolding.txt's unconditional entries (Unicode Character Database 14).
using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class PyCase
{
    private static readonly FrozenDictionary<int, string> UpperTable = Table(
        "00DF=0053+0053 0149=02BC+004E 01F0=004A+030C 0390=0399+0308+0301 03B0=03A5+0308+0301 0587=0535+0552 1E96=0048+0331 1E97=0054+0308 1E98=0057+030A " +
        "1E99=0059+030A 1E9A=0041+02BE 1F50=03A5+0313 1F52=03A5+0313+0300 1F54=03A5+0313+0301 1F56=03A5+0313+0342 1F80=1F08+0399 1F81=1F09+0399 1F82=1F0A+0399 " +
        "1F83=1F0B+0399 1F84=1F0C+0399 1F85=1F0D+0399 1F86=1F0E+0399 1F87=1F0F+0399 1F88=1F08+0399 1F89=1F09+0399 1F8A=1F0A+0399 1F8B=1F0B+0399 1F8C=1F0C+0399 " +
        "1F8D=1F0D+0399 1F8E=1F0E+0399 1F8F=1F0F+0399 1F90=1F28+0399 1F91=1F29+0399 1F92=1F2A+0399 1F93=1F2B+0399 1F94=1F2C+0399 1F95=1F2D+0399 1F96=1F2E+0399 " +
        "1F97=1F2F+0399 1F98=1F28+0399 1F99=1F29+0399 1F9A=1F2A+0399 1F9B=1F2B+0399 1F9C=1F2C+0399 1F9D=1F2D+0399 1F9E=1F2E+0399 1F9F=1F2F+0399 1FA0=1F68+0399 " +
        "1FA1=1F69+0399 1FA2=1F6A+0399 1FA3=1F6B+0399 1FA4=1F6C+0399 1FA5=1F6D+0399 1FA6=1F6E+0399 1FA7=1F6F+0399 1FA8=1F68+0399 1FA9=1F69+0399 1FAA=1F6A+0399 " +
        "1FAB=1F6B+0399 1FAC=1F6C+0399 1FAD=1F6D+0399 1FAE=1F6E+0399 1FAF=1F6F+0399 1FB2=1FBA+0399 1FB3=0391+0399 1FB4=0386+0399 1FB6=0391+0342 " +
        "1FB7=0391+0342+0399 1FBC=0391+0399 1FC2=1FCA+0399 1FC3=0397+0399 1FC4=0389+0399 1FC6=0397+0342 1FC7=0397+0342+0399 1FCC=0397+0399 1FD2=0399+0308+0300 " +
        "1FD3=0399+0308+0301 1FD6=0399+0342 1FD7=0399+0308+0342 1FE2=03A5+0308+0300 1FE3=03A5+0308+0301 1FE4=03A1+0313 1FE6=03A5+0342 1FE7=03A5+0308+0342 " +
        "1FF2=1FFA+0399 1FF3=03A9+0399 1FF4=038F+0399 1FF6=03A9+0342 1FF7=03A9+0342+0399 1FFC=03A9+0399 FB00=0046+0046 FB01=0046+0049 FB02=0046+004C " +
        "FB03=0046+0046+0049 FB04=0046+0046+004C FB05=0053+0054 FB06=0053+0054 FB13=0544+0546 FB14=0544+0535 FB15=0544+053B FB16=054E+0546 FB17=0544+053D ");

    private static readonly FrozenDictionary<int, string> TitleTable = Table(
        "00DF=0053+0073 0149=02BC+004E 01C4=01C5 01C5=01C5 01C6=01C5 01C7=01C8 01C8=01C8 01C9=01C8 01CA=01CB 01CB=01CB 01CC=01CB 01F0=004A+030C 01F1=01F2 " +
        "01F2=01F2 01F3=01F2 0390=0399+0308+0301 03B0=03A5+0308+0301 0587=0535+0582 10D0=10D0 10D1=10D1 10D2=10D2 10D3=10D3 10D4=10D4 10D5=10D5 10D6=10D6 " +
        "10D7=10D7 10D8=10D8 10D9=10D9 10DA=10DA 10DB=10DB 10DC=10DC 10DD=10DD 10DE=10DE 10DF=10DF 10E0=10E0 10E1=10E1 10E2=10E2 10E3=10E3 10E4=10E4 10E5=10E5 " +
        "10E6=10E6 10E7=10E7 10E8=10E8 10E9=10E9 10EA=10EA 10EB=10EB 10EC=10EC 10ED=10ED 10EE=10EE 10EF=10EF 10F0=10F0 10F1=10F1 10F2=10F2 10F3=10F3 10F4=10F4 " +
        "10F5=10F5 10F6=10F6 10F7=10F7 10F8=10F8 10F9=10F9 10FA=10FA 10FD=10FD 10FE=10FE 10FF=10FF 1E96=0048+0331 1E97=0054+0308 1E98=0057+030A 1E99=0059+030A " +
        "1E9A=0041+02BE 1F50=03A5+0313 1F52=03A5+0313+0300 1F54=03A5+0313+0301 1F56=03A5+0313+0342 1FB2=1FBA+0345 1FB4=0386+0345 1FB6=0391+0342 " +
        "1FB7=0391+0342+0345 1FC2=1FCA+0345 1FC4=0389+0345 1FC6=0397+0342 1FC7=0397+0342+0345 1FD2=0399+0308+0300 1FD3=0399+0308+0301 1FD6=0399+0342 " +
        "1FD7=0399+0308+0342 1FE2=03A5+0308+0300 1FE3=03A5+0308+0301 1FE4=03A1+0313 1FE6=03A5+0342 1FE7=03A5+0308+0342 1FF2=1FFA+0345 1FF4=038F+0345 " +
        "1FF6=03A9+0342 1FF7=03A9+0342+0345 FB00=0046+0066 FB01=0046+0069 FB02=0046+006C FB03=0046+0066+0069 FB04=0046+0066+006C FB05=0053+0074 FB06=0053+0074 " +
        "FB13=0544+0576 FB14=0544+0565 FB15=0544+056B FB16=054E+0576 FB17=0544+056D ");

    private static readonly FrozenDictionary<int, string> FoldTable = Table(
        "00B5=03BC 00DF=0073+0073 0130=0069+0307 0149=02BC+006E 017F=0073 01F0=006A+030C 0345=03B9 0390=03B9+0308+0301 03B0=03C5+0308+0301 03C2=03C3 03D0=03B2 03D1=03B8 " +
        "03D5=03C6 03D6=03C0 03F0=03BA 03F1=03C1 03F5=03B5 0587=0565+0582 13F0=13F0 13F1=13F1 13F2=13F2 13F3=13F3 13F4=13F4 13F5=13F5 13F8=13F0 13F9=13F1 " +
        "13FA=13F2 13FB=13F3 13FC=13F4 13FD=13F5 1C80=0432 1C81=0434 1C82=043E 1C83=0441 1C84=0442 1C85=0442 1C86=044A 1C87=0463 1C88=A64B 1E96=0068+0331 " +
        "1E97=0074+0308 1E98=0077+030A 1E99=0079+030A 1E9A=0061+02BE 1E9B=1E61 1E9E=0073+0073 1F50=03C5+0313 1F52=03C5+0313+0300 1F54=03C5+0313+0301 " +
        "1F56=03C5+0313+0342 1F80=1F00+03B9 1F81=1F01+03B9 1F82=1F02+03B9 1F83=1F03+03B9 1F84=1F04+03B9 1F85=1F05+03B9 1F86=1F06+03B9 1F87=1F07+03B9 " +
        "1F88=1F00+03B9 1F89=1F01+03B9 1F8A=1F02+03B9 1F8B=1F03+03B9 1F8C=1F04+03B9 1F8D=1F05+03B9 1F8E=1F06+03B9 1F8F=1F07+03B9 1F90=1F20+03B9 1F91=1F21+03B9 " +
        "1F92=1F22+03B9 1F93=1F23+03B9 1F94=1F24+03B9 1F95=1F25+03B9 1F96=1F26+03B9 1F97=1F27+03B9 1F98=1F20+03B9 1F99=1F21+03B9 1F9A=1F22+03B9 1F9B=1F23+03B9 " +
        "1F9C=1F24+03B9 1F9D=1F25+03B9 1F9E=1F26+03B9 1F9F=1F27+03B9 1FA0=1F60+03B9 1FA1=1F61+03B9 1FA2=1F62+03B9 1FA3=1F63+03B9 1FA4=1F64+03B9 1FA5=1F65+03B9 " +
        "1FA6=1F66+03B9 1FA7=1F67+03B9 1FA8=1F60+03B9 1FA9=1F61+03B9 1FAA=1F62+03B9 1FAB=1F63+03B9 1FAC=1F64+03B9 1FAD=1F65+03B9 1FAE=1F66+03B9 1FAF=1F67+03B9 " +
        "1FB2=1F70+03B9 1FB3=03B1+03B9 1FB4=03AC+03B9 1FB6=03B1+0342 1FB7=03B1+0342+03B9 1FBC=03B1+03B9 1FBE=03B9 1FC2=1F74+03B9 1FC3=03B7+03B9 1FC4=03AE+03B9 " +
        "1FC6=03B7+0342 1FC7=03B7+0342+03B9 1FCC=03B7+03B9 1FD2=03B9+0308+0300 1FD3=03B9+0308+0301 1FD6=03B9+0342 1FD7=03B9+0308+0342 1FE2=03C5+0308+0300 " +
        "1FE3=03C5+0308+0301 1FE4=03C1+0313 1FE6=03C5+0342 1FE7=03C5+0308+0342 1FF2=1F7C+03B9 1FF3=03C9+03B9 1FF4=03CE+03B9 1FF6=03C9+0342 1FF7=03C9+0342+03B9 " +
        "1FFC=03C9+03B9 FB00=0066+0066 FB01=0066+0069 FB02=0066+006C FB03=0066+0066+0069 FB04=0066+0066+006C FB05=0073+0074 FB06=0073+0074 FB13=0574+0576 " +
        "FB14=0574+0565 FB15=0574+056B FB16=057E+0576 FB17=0574+056D ");

    public static string Upper(string text) => Ascii.IsValid(text) ? text.ToUpperInvariant() : Map(text, UpperTable);

    /// <summary>A capital sigma at the end of a word becomes a final one.</summary>
    public static string Lower(string text)
    {
        if (Ascii.IsValid(text))
            return text.ToLowerInvariant();
        StringBuilder result = new(text.Length);
        List<Rune> runes = [.. text.EnumerateRunes()];
        for (int i = 0; i < runes.Count; i++)
            AppendLower(result, runes, i);
        return result.ToString();
    }

    public static string Fold(string text)
    {
        StringBuilder result = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (FoldTable.TryGetValue(rune.Value, out string? mapped))
                result.Append(mapped);
            else
                result.Append(Rune.ToLowerInvariant(rune).ToString());
        }

        return result.ToString();
    }

    /// <summary>First code point in titlecase, the others in lower case.</summary>
    public static string Capitalize(string text)
    {
        StringBuilder result = new(text.Length);
        List<Rune> runes = [.. text.EnumerateRunes()];
        for (int i = 0; i < runes.Count; i++)
        {
            if (i == 0)
                AppendTitle(result, runes[0]);
            else
                AppendLower(result, runes, i);
        }

        return result.ToString();
    }

    /// <summary>str.title(): a cased code point behind an uncased one begins a word.</summary>
    public static string Title(string text)
    {
        StringBuilder result = new(text.Length);
        List<Rune> runes = [.. text.EnumerateRunes()];
        bool isInWord = false;
        for (int i = 0; i < runes.Count; i++)
        {
            if (isInWord)
                AppendLower(result, runes, i);
            else
                AppendTitle(result, runes[i]);
            isInWord = IsCased(runes[i]);
        }

        return result.ToString();
    }

    public static string SwapCase(string text)
    {
        StringBuilder result = new(text.Length);
        List<Rune> runes = [.. text.EnumerateRunes()];
        for (int i = 0; i < runes.Count; i++)
        {
            if (IsUpper(runes[i]))
                AppendLower(result, runes, i);
            else
                result.Append(Map(runes[i].ToString(), UpperTable));
        }

        return result.ToString();
    }

    public static bool IsUpper(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.UppercaseLetter || rune.Value is (>= 0x2160 and <= 0x216F) or (>= 0x24B6 and <= 0x24CF);

    public static bool IsLower(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.LowercaseLetter || rune.Value is 0xAA or 0xBA or (>= 0x2170 and <= 0x217F) or (>= 0x24D0 and <= 0x24E9);

    public static bool IsCased(Rune rune) => IsUpper(rune) || IsLower(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter;

    private static string Map(string text, FrozenDictionary<int, string> table)
    {
        StringBuilder result = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (table.TryGetValue(rune.Value, out string? mapped))
                result.Append(mapped);
            else
                result.Append(Rune.ToUpperInvariant(rune).ToString());
        }

        return result.ToString();
    }

    private static void AppendTitle(StringBuilder result, Rune rune) =>
        result.Append(TitleTable.TryGetValue(rune.Value, out string? mapped) ? mapped : Rune.ToUpperInvariant(rune).ToString());

    private static void AppendLower(StringBuilder result, List<Rune> runes, int at)
    {
        int code = runes[at].Value;
        if (code == 0x3A3)
            result.Append(IsFinalSigma(runes, at) ? '\u03C2' : '\u03C3');
        else if (code == 0x130)
            result.Append("i\u0307");
        else
            result.Append(Rune.ToLowerInvariant(runes[at]).ToString());
    }

    private static bool IsFinalSigma(List<Rune> runes, int at)
    {
        int before = at - 1;
        while (before >= 0 && IsCaseIgnorable(runes[before]))
            before--;
        int after = at + 1;
        while (after < runes.Count && IsCaseIgnorable(runes[after]))
            after++;
        return before >= 0 && IsCased(runes[before]) && !(after < runes.Count && IsCased(runes[after]));
    }

    private static bool IsCaseIgnorable(Rune rune) => rune.Value is 0x27 or 0x2E or 0x3A or 0xB7 or 0x2018 or 0x2019
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    private static FrozenDictionary<int, string> Table(string entries)
    {
        Dictionary<int, string> table = [];
        foreach (string entry in entries.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = entry.IndexOf('=', StringComparison.Ordinal);
            IEnumerable<string> mapped = entry[(equals + 1)..].Split('+').Select(h => char.ConvertFromUtf32(int.Parse(h, NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
            table.Add(int.Parse(entry.AsSpan(0, equals), NumberStyles.HexNumber, CultureInfo.InvariantCulture), string.Concat(mapped));
        }

        return table.ToFrozenDictionary();
    }
}
