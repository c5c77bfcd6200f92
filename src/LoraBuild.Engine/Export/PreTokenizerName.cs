// Recognises which of llama.cpp's built-in splitting rules a tokenizer.json asks for.
using System.Text.Json.Nodes;

namespace LoraBuild.Engine.Export;

internal static class PreTokenizerName
{
    private const string Space = "\u2581"; // sentencepiece's visible space

    /// <summary>The members of a Sequence, or the one node itself; nothing for null.</summary>
    public static IEnumerable<JsonObject> Parts(JsonNode? node, string members) => node switch
    {
        JsonObject sequence when (string?)sequence["type"] == "Sequence" => (sequence[members] as JsonArray ?? []).SelectMany(n => Parts(n, members)),
        JsonObject one => [one],
        _ => [],
    };

    /// <summary>Spaces become U+2581 and unknown characters bytes: llama.cpp's model "llama".</summary>
    public static bool IsSentencePiece(JsonObject tokenizer) =>
        (bool?)tokenizer["model"]?["byte_fallback"] == true
        || Parts(tokenizer["pre_tokenizer"], "pretokenizers").Any(p => (string?)p["type"] == "Metaspace")
        || Parts(tokenizer["normalizer"], "normalizers").Any(n => (string?)n["type"] == "Replace" && (string?)n["content"] == Space);

    public static bool AddsSpacePrefix(JsonObject tokenizer) =>
        Parts(tokenizer["normalizer"], "normalizers").Any(n => (string?)n["type"] == "Prepend")
        || Parts(tokenizer["pre_tokenizer"], "pretokenizers").Any(p => (string?)p["type"] == "Metaspace" && ((string?)p["prepend_scheme"] ?? "always") != "never");

    /// <summary>The value of <c>tokenizer.ggml.pre</c>; null where none fits (a wrong name would split text differently).</summary>
    public static string? Of(JsonObject tokenizer)
    {
        List<JsonObject> parts = [.. Parts(tokenizer["pre_tokenizer"], "pretokenizers")];
        string kinds = string.Join('+', parts.Select(p => (string?)p["type"]));
        bool usesOwnRegex = parts.Count > 0 && ((bool?)parts[^1]["use_regex"] ?? true);
        switch (kinds)
        {
            case "ByteLevel" when usesOwnRegex:
                return "gpt-2";
            case "Digits+ByteLevel" when usesOwnRegex && (bool?)parts[0]["individual_digits"] == true:
                return "smollm";
            case "Split+ByteLevel" when !usesOwnRegex:
                return OfRegex((string?)parts[0]["pattern"]?["Regex"] ?? "", (bool?)tokenizer["model"]?["ignore_merges"] ?? false);
            default:
                return null;
        }
    }

    private static string? OfRegex(string regex, bool ignoresMerges)
    {
        bool hasContractions = regex.Contains("'s|", StringComparison.Ordinal);
        if (regex.Contains(@"\p{Lu}", StringComparison.Ordinal) && regex.Contains(@"\p{Ll}", StringComparison.Ordinal))
            return hasContractions ? "gpt-4o" : "tekken";
        if (!hasContractions || !regex.Contains(@"[^\r\n\p{L}\p{N}]?\p{L}+", StringComparison.Ordinal))
            return null;
        if (regex.Contains(@"|\p{N}{1,3}|", StringComparison.Ordinal))
            return ignoresMerges ? "llama-bpe" : "dbrx";
        return regex.Contains(@"|\p{N}|", StringComparison.Ordinal) ? "qwen2" : null;
    }
}
