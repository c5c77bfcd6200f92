// Python's strftime in the C locale.
using System.Globalization;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class Strftime
{
    public static string Format(DateTime time, string format)
    {
        Budget.Current.Characters(format.Length * 8L); // a field's name is longer than its letter, and finding it dearer
        StringBuilder result = new();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                result.Append(format[i]);
                continue;
            }

            char flag = format[i + 1] is '-' or '_' or '0' or '^' && i + 2 < format.Length ? format[++i] : '\0';
            char code = format[++i];
            string? field = Field(time, code);
            result.Append(field is null ? "%" + (flag == '\0' ? "" : flag) + code : Flagged(field, flag));
        }

        return result.ToString();
    }

    private static string Flagged(string field, char flag) => flag switch
    {
        '-' => field.TrimStart('0', ' ') is { Length: > 0 } trimmed ? trimmed : "0",
        '_' => field.TrimStart('0') is { Length: > 0 } digits ? digits.PadLeft(field.Length) : "0".PadLeft(field.Length),
        '^' => field.ToUpperInvariant(),
        _ => field,
    };

    private static string? Field(DateTime t, char code) => code switch
    {
        'a' => Net(t, "ddd"),
        'A' => Net(t, "dddd"),
        'b' or 'h' => Net(t, "MMM"),
        'B' => Net(t, "MMMM"),
        'c' => Format(t, "%a %b %e %H:%M:%S %Y"),
        'C' => Two(t.Year / 100),
        'd' => Two(t.Day),
        'D' or 'x' => Format(t, "%m/%d/%y"),
        'e' => t.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'f' => Net(t, "ffffff"),
        'F' => Format(t, "%Y-%m-%d"),
        'g' => Two(ISOWeek.GetYear(t) % 100),
        'G' => ISOWeek.GetYear(t).ToString(CultureInfo.InvariantCulture),
        'H' => Two(t.Hour),
        'I' => Two((t.Hour + 11) % 12 + 1),
        'j' => t.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
        'k' => t.Hour.ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'l' => ((t.Hour + 11) % 12 + 1).ToString(CultureInfo.InvariantCulture).PadLeft(2),
        'm' => Two(t.Month),
        'M' => Two(t.Minute),
        'n' => "\n",
        'p' => t.Hour < 12 ? "AM" : "PM",
        'P' => t.Hour < 12 ? "am" : "pm",
        'r' => Format(t, "%I:%M:%S %p"),
        'R' => Format(t, "%H:%M"),
        's' => ((long)(DateTime.SpecifyKind(t, DateTimeKind.Utc) - DateTime.UnixEpoch).TotalSeconds).ToString(CultureInfo.InvariantCulture),
        'S' => Two(t.Second),
        't' => "\t",
        'T' or 'X' => Format(t, "%H:%M:%S"),
        'u' => (t.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)t.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'U' => Two((t.DayOfYear + 6 - (int)t.DayOfWeek) / 7),
        'V' => Two(ISOWeek.GetWeekOfYear(t)),
        'w' => ((int)t.DayOfWeek).ToString(CultureInfo.InvariantCulture),
        'W' => Two((t.DayOfYear + 6 - (((int)t.DayOfWeek + 6) % 7)) / 7),
        'y' => Two(t.Year % 100),
        'Y' => t.Year.ToString(CultureInfo.InvariantCulture),
        'z' or 'Z' => "", // the time has no zone
        '%' => "%",
        _ => null,
    };

    private static string Two(int value) => value.ToString("00", CultureInfo.InvariantCulture);

    private static string Net(DateTime time, string format) => time.ToString(format, CultureInfo.InvariantCulture);
}
