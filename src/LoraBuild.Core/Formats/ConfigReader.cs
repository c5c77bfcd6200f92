// Typed, checked access to the keys of a JSON config; every complaint names file and key.
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

/// <summary>A key that is absent and one that is null mean the same, as in transformers.</summary>
internal sealed class ConfigReader(JsonObject root, string file, string code, string prefix = "")
{
    public JsonObject Root => root;

    public bool Has(string key) => root[key] is not null;

    /// <summary>True where the key stands in the file, be it null.</summary>
    public bool Mentions(string key) => root.ContainsKey(key);

    public int Int(string key, int? fallback, int min = 1, int max = 1 << 30)
    {
        if (root[key] is not JsonNode node)
            return fallback ?? throw Missing(key);
        return node is JsonValue value && TryWhole(value, out long number) && number >= min && number <= max
            ? (int)number
            : throw Wrong(key, node, $"a whole number from {min} to {max}");
    }

    public int? OptionalInt(string key, int min = 1) => Has(key) ? Int(key, null, min) : null;

    public double Double(string key, double? fallback, double min = double.Epsilon)
    {
        if (root[key] is not JsonNode node)
            return fallback ?? throw Missing(key);
        return node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out double number) && double.IsFinite(number) && number >= min
            ? number
            : throw Wrong(key, node, min > 0 ? "a number > 0" : $"a number ≥ {min}");
    }

    public double? OptionalDouble(string key, double min = double.Epsilon) => Has(key) ? Double(key, null, min) : null;

    public bool Bool(string key, bool fallback) => root[key] switch
    {
        null => fallback,
        JsonValue value when value.TryGetValue(out bool flag) => flag,
        JsonNode node => throw Wrong(key, node, "true or false"),
    };

    public string? OptionalString(string key) => root[key] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        JsonNode node => throw Wrong(key, node, "a string"),
    };

    public string String(string key) => OptionalString(key) ?? throw Missing(key);

    public IReadOnlyList<string> Strings(string key) => root[key] switch
    {
        null => [],
        JsonArray array => [.. array.Select(item => item is JsonValue v && v.TryGetValue(out string? text) ? text : throw Wrong(key, array, "a list of strings"))],
        JsonNode node => throw Wrong(key, node, "a list of strings"),
    };

    public IReadOnlyList<double>? OptionalDoubles(string key) => root[key] switch
    {
        null => null,
        JsonArray array => [.. array.Select(item => item is JsonValue v && v.GetValueKind() == JsonValueKind.Number && v.TryGetValue(out double number) && number > 0 ? number : throw Wrong(key, array, "a list of numbers > 0"))],
        JsonNode node => throw Wrong(key, node, "a list of numbers > 0"),
    };

    /// <summary>A token id, or a list of them; empty when absent.</summary>
    public IReadOnlyList<int> Ids(string key) => root[key] switch
    {
        null => [],
        JsonArray array => [.. array.Select(item => item is JsonValue v && TryWhole(v, out long id) && id is >= 0 and <= int.MaxValue ? (int)id : throw Wrong(key, array, "token ids ≥ 0"))],
        JsonValue value when TryWhole(value, out long id) && id is >= -1 and <= int.MaxValue => id < 0 ? [] : [(int)id], // −1: none, in old configs
        JsonNode node => throw Wrong(key, node, "a token id ≥ 0 or a list of them"),
    };

    public ConfigReader? Nested(string key) => root[key] switch
    {
        null => null,
        JsonObject nested => new ConfigReader(nested, file, code, prefix + key + "."),
        JsonNode node => throw Wrong(key, node, "an object"),
    };

    public DiagnosticException Wrong(string key, JsonNode? got, string allowed)
    {
        string text = got?.ToJsonString() ?? "null";
        return new DiagnosticException(code, $"'{prefix}{key}' is {(text.Length > 60 ? text[..60] + "…" : text)}; allowed is {allowed}", file);
    }

    public DiagnosticException Wrong(string message) => new(code, message, file);

    private DiagnosticException Missing(string key) => new(code, $"the key '{prefix}{key}' is missing", file);

    private static bool TryWhole(JsonValue value, out long number)
    {
        number = 0;
        if (value.GetValueKind() != JsonValueKind.Number)
            return false;
        if (value.TryGetValue(out number))
            return true;
        if (value.TryGetValue(out double real) && Math.Abs(real) < 1L << 53 && real == Math.Floor(real)) // 32.0, written by other tools
        {
            number = (long)real;
            return true;
        }

        return false;
    }
}
