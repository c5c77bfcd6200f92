// The kinds of value that a key may have: how each is read, refused and written.
using System.Globalization;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

/// <summary>False when the node was refused; then a diagnostic was reported.</summary>
internal delegate bool TryReadValue<T>(RecipeNode node, string key, IDiagnosticSink sink, out T value);

/// <param name="Format">The value as canonical YAML; paths are relative to the folder given.</param>
internal sealed record ValueKind<T>(string Type, string Allowed, TryReadValue<T> TryRead, Func<T, string, string> Format);

/// <summary>Scalars. <see cref="CompositeKinds"/> has lists and maps of them.</summary>
internal static class ValueKinds
{
    private const long BytesPerKilobyte = 1000;

    private static readonly string[] DateFormats = ["yyyy-MM-dd", "yyyy-MM-ddTHH:mm:ss"];

    public static ValueKind<bool> Flag { get; } = new("true/false", "", ReadFlag, (value, _) => value ? "true" : "false");

    /// <summary>Any text; numbers and true/false without quotes are taken as they are written.</summary>
    public static ValueKind<string> Text { get; } = new("text", "", ReadText, (value, _) => RecipeText.Scalar(value));

    public static ValueKind<long> Size { get; } = new("size", "bytes, or a number with KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024)", ReadSize, (value, _) => value.ToString(CultureInfo.InvariantCulture));

    /// <summary>A day, or a day and a time, without a time zone.</summary>
    public static ValueKind<DateTime> Date { get; } = new("date", "2025-01-31, or with a time 2025-01-31T15:04:05", ReadDate, (value, _) => value.ToString(value.TimeOfDay == TimeSpan.Zero ? DateFormats[0] : DateFormats[1], CultureInfo.InvariantCulture));

    public static ValueKind<int> Integer(int min, int max = int.MaxValue, string? common = null) => new(
        "integer", RangeText(min, max == int.MaxValue ? null : max, false, false), Narrow(min, max, common), (value, _) => value.ToString(CultureInfo.InvariantCulture));

    public static ValueKind<long> Long { get; } = new("integer", "", (RecipeNode node, string key, IDiagnosticSink sink, out long value) => ReadLong(node, key, sink, out value), (value, _) => value.ToString(CultureInfo.InvariantCulture));

    /// <param name="isAbove">The minimum itself is not allowed.</param>
    /// <param name="isBelow">The maximum itself is not allowed.</param>
    public static ValueKind<double> Number(double min, double? max = null, bool isAbove = false, bool isBelow = false, string? common = null)
    {
        string allowed = RangeText(min, max, isAbove, isBelow);
        return new("number", allowed, Read, (value, _) => RecipeText.Number(value));

        bool Read(RecipeNode node, string key, IDiagnosticSink sink, out double value)
        {
            if (!ReadNumber(node, key, sink, out value))
                return false;
            bool isInside = (isAbove ? value > min : value >= min) && (max is null || (isBelow ? value < max : value <= max));
            return isInside || OutOfRange(node, key, sink, allowed, common);
        }
    }

    /// <summary>A count of steps (a whole number ≥ 1), or a fraction of the run (&lt; 1); 0 means only at the end.</summary>
    public static ValueKind<double> StepsOrFraction { get; } = new(
        "number", "a whole number of steps, or a fraction of the run below 1; 0: only at the end", ReadStepsOrFraction, (value, _) => RecipeText.Number(value));

    public static ValueKind<string> Choice(params string[] allowed)
    {
        string list = string.Join(", ", allowed);
        return new("word", list, Read, (value, _) => RecipeText.Scalar(value));

        bool Read(RecipeNode node, string key, IDiagnosticSink sink, out string value)
        {
            if (!ReadText(node, key, sink, out value))
                return false;
            if (allowed.Contains(value, StringComparer.Ordinal))
                return true;
            string? nearest = RecipeText.Nearest(value, allowed);
            return Refuse("LB0008", node, sink, $"{key} must be one of {list}, got {RecipeText.Describe(node)}.{(nearest is null ? "" : $" Did you mean {nearest}?")}");
        }
    }

    /// <summary>null is a value; any other goes to <paramref name="kind"/>.</summary>
    public static ValueKind<T?> Optional<T>(ValueKind<T> kind)
        where T : struct => new(
            kind.Type + " or null",
            kind.Allowed,
            (RecipeNode node, string key, IDiagnosticSink sink, out T? value) =>
            {
                value = null;
                if (node is ScalarNode { IsNull: true })
                    return true;
                bool isRead = kind.TryRead(node, key, sink, out T present);
                value = present;
                return isRead;
            },
            (value, baseDirectory) => value is { } present ? kind.Format(present, baseDirectory) : "null");

    /// <inheritdoc cref="Optional{T}(ValueKind{T})"/>
    public static ValueKind<T?> OptionalReference<T>(ValueKind<T> kind)
        where T : class => new(
            kind.Type + " or null",
            kind.Allowed,
            (RecipeNode node, string key, IDiagnosticSink sink, out T? value) =>
            {
                value = null;
                if (node is ScalarNode { IsNull: true })
                    return true;
                bool isRead = kind.TryRead(node, key, sink, out T present);
                value = present;
                return isRead;
            },
            (value, baseDirectory) => value is null ? "null" : kind.Format(value, baseDirectory));

    internal static bool Refuse(string code, RecipeNode node, IDiagnosticSink sink, string message)
    {
        sink.Report(Diagnostic.Error(code, message, node.Origin.File, node.Line, node.Column));
        return false;
    }

    internal static bool WrongType(RecipeNode node, string key, IDiagnosticSink sink, string expected) =>
        Refuse("LB0006", node, sink, $"{key} must be {expected}, got {RecipeText.Describe(node)}.");

    private static bool OutOfRange(RecipeNode node, string key, IDiagnosticSink sink, string allowed, string? common) =>
        Refuse("LB0012", node, sink, $"{key} must be {allowed}, got {RecipeText.Describe(node)}.{(common is null ? "" : $" Common values are {common}.")}");

    private static bool ReadFlag(RecipeNode node, string key, IDiagnosticSink sink, out bool value)
    {
        value = node is ScalarNode { Text: "true" };
        return node is ScalarNode { IsPlain: true, Text: "true" or "false" } || WrongType(node, key, sink, "true or false");
    }

    internal static bool ReadText(RecipeNode node, string key, IDiagnosticSink sink, out string value)
    {
        value = (node as ScalarNode)?.Text ?? "";
        return node is ScalarNode { IsNull: false } || WrongType(node, key, sink, node is MapNode ? "text (put quotes around text with \": \")" : "text");
    }

    private static TryReadValue<int> Narrow(int min, int max, string? common) => (RecipeNode node, string key, IDiagnosticSink sink, out int value) =>
    {
        value = 0;
        if (!ReadLong(node, key, sink, out long wide))
            return false;
        if (wide < min || wide > max)
            return OutOfRange(node, key, sink, RangeText(min, max == int.MaxValue && wide < min ? null : max, false, false), common);
        value = (int)wide;
        return true;
    };

    private static bool ReadLong(RecipeNode node, string key, IDiagnosticSink sink, out long value)
    {
        value = 0;
        return (node is ScalarNode { IsPlain: true } scalar && long.TryParse(scalar.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value))
            || WrongType(node, key, sink, "a whole number");
    }

    private static bool ReadNumber(RecipeNode node, string key, IDiagnosticSink sink, out double value)
    {
        value = 0;
        return (node is ScalarNode { IsPlain: true } scalar && TryParseNumber(scalar.Text, out value)) || WrongType(node, key, sink, "a number");
    }

    /// <summary>Digits with optional sign, point and exponent; <c>1e-4</c> needs no point. No infinities, no groups.</summary>
    internal static bool TryParseNumber(string text, out double value) =>
        double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out value)
        && double.IsFinite(value);

    private static bool ReadDate(RecipeNode node, string key, IDiagnosticSink sink, out DateTime value)
    {
        value = default;
        return (node is ScalarNode scalar && DateTime.TryParseExact(scalar.Text, DateFormats, CultureInfo.InvariantCulture, DateTimeStyles.None, out value))
            || WrongType(node, key, sink, "a date such as 2025-01-31 or 2025-01-31T15:04:05");
    }

    private static bool ReadStepsOrFraction(RecipeNode node, string key, IDiagnosticSink sink, out double value) =>
        ReadNumber(node, key, sink, out value)
        && ((value >= 0 && (value < 1 || (value == Math.Floor(value) && value <= int.MaxValue)))
            || OutOfRange(node, key, sink, "a whole number of steps (≥ 1) or a fraction of the run (≥ 0, < 1)", "0.1–0.25 or 50–500"));

    private static bool ReadSize(RecipeNode node, string key, IDiagnosticSink sink, out long value)
    {
        value = 0;
        if (node is not ScalarNode { IsNull: false } scalar)
            return WrongType(node, key, sink, "a size such as 5GB");
        string number = scalar.Text.TrimEnd([.. "kKmMgGtTiIbB"]);
        long? unit = scalar.Text[number.Length..].ToUpperInvariant() switch
        {
            "" or "B" => 1,
            "KB" => BytesPerKilobyte,
            "MB" => BytesPerKilobyte * 1000,
            "GB" => BytesPerKilobyte * 1000_000,
            "TB" => BytesPerKilobyte * 1000_000_000,
            "KIB" => 1L << 10,
            "MIB" => 1L << 20,
            "GIB" => 1L << 30,
            "TIB" => 1L << 40,
            _ => null,
        };
        if (unit is null || !TryParseNumber(number.TrimEnd(' '), out double count))
            return WrongType(node, key, sink, "a size such as 5GB, 500MB or a number of bytes");
        double bytes = count * unit.Value;
        if (bytes < 1 || bytes > long.MaxValue / 2)
            return OutOfRange(node, key, sink, "at least 1 byte", "2GB–10GB");
        value = (long)bytes;
        return true;
    }

    private static string RangeText(double min, double? max, bool isAbove, bool isBelow)
    {
        string lower = $"{(isAbove ? ">" : "≥")} {RecipeText.Number(min)}";
        return max is { } upper ? $"{lower} and {(isBelow ? "<" : "≤")} {RecipeText.Number(upper)}" : lower;
    }
}
