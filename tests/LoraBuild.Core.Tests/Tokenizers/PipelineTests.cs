// Odd combinations of components against the reference library, as whole pipelines; and what is refused.
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class PipelineTests
{
    [Fact]
    public void Odd_combinations_of_components_give_the_reference_encodings()
    {
        Differences differences = new();
        string charsMap = JsonNode.Parse(File.ReadAllText(Path.Combine(TokenizerGolden.Root, "t5-unigram", "tokenizer.json")))!["normalizer"]!["precompiled_charsmap"]!.GetValue<string>();
        foreach (JsonElement line in GoldenParts.Lines("pipelines.jsonl"))
        {
            string patch = line.GetProperty("patch").GetRawText();
            Tokenizer tokenizer = Load(line.GetProperty("base").GetString()!, JsonNode.Parse(patch.Replace("CHARSMAP", charsMap, StringComparison.Ordinal))!.AsObject());
            foreach (JsonElement c in line.GetProperty("cases").EnumerateArray())
                Compare(differences, tokenizer, c, patch);
        }

        differences.AssertNone();
        Assert.True(differences.Compared > 4000, $"only {differences.Compared} comparisons");
    }

    private static void Compare(Differences differences, Tokenizer tokenizer, JsonElement expected, string patch)
    {
        string text = expected.GetProperty("text").GetString()!;
        string? pair = expected.TryGetProperty("pair", out JsonElement p) ? p.GetString() : null;
        bool special = expected.GetProperty("special").GetBoolean();
        string what = $"{TokenizerGolden.Show(text)} and {TokenizerGolden.Show(pair ?? "")}, special {special}: {patch}";
        Encoding e = pair is null ? tokenizer.Encode(text, special) : tokenizer.EncodePair(text, pair, special);
        differences.Compare(expected.Ints("ids"), e.Ids, () => $"ids of {what}");
        differences.Compare(expected.Texts("tokens"), e.Tokens, () => $"tokens of {what}");
        differences.Compare(expected.Ints("offsets"), TokenizerGolden.Flatten(e.Offsets), () => $"offsets of {what}");
        differences.Compare(expected.Ints("type_ids"), e.TypeIds, () => $"types of {what}");
        differences.Compare(expected.Ints("word_ids"), e.WordIds, () => $"words of {what}");
        differences.Compare(expected.Ints("sequence_ids"), e.SequenceIds, () => $"sequences of {what}");
        differences.Compare(expected.GetProperty("decoded").GetString(), tokenizer.Decode(e.Ids), () => $"decoding of {what}");
        if (pair is null)
            differences.Compare(e.Ids, tokenizer.EncodeToIds(text, special), () => $"fast ids of {what}");
    }

    [Fact]
    public void An_added_token_of_which_the_normalizer_leaves_nothing_is_refused()
    {
        JsonObject patch = JsonNode.Parse("""{"normalizer": {"type": "Strip", "strip_left": true, "strip_right": true}, "added_tokens": [{"id": 0, "content": "\n", "normalized": true, "special": false}]}""")!.AsObject();
        Diagnostic diagnostic = Assert.Throws<DiagnosticException>(() => Load("gpt2", patch)).Diagnostics[0];
        Assert.Equal("LB0204", diagnostic.Code);
        Assert.Contains("\\n", diagnostic.Message, StringComparison.Ordinal);
    }

    private static Tokenizer Load(string name, JsonObject patch)
    {
        JsonObject root = JsonNode.Parse(File.ReadAllText(Path.Combine(TokenizerGolden.Root, name, "tokenizer.json")))!.AsObject();
        foreach ((string key, JsonNode? value) in patch)
            root[key] = value?.DeepClone();
        using TemporaryTokenizer files = new();
        files.Write("tokenizer.json", root.ToJsonString());
        return Tokenizer.Load(files.Path);
    }
}
