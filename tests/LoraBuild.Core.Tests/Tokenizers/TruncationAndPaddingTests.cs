// The truncation and padding sections, against the reference library's batches.
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class TruncationAndPaddingTests
{
    [Fact]
    public void Texts_pairs_and_batches_are_cut_and_filled_up_as_the_reference_does()
    {
        Differences differences = new();
        foreach (JsonElement line in TokenizerGolden.Lines("components.jsonl").Where(l => l.GetProperty("kind").GetString() == "truncate_pad"))
        {
            Tokenizer tokenizer = LoadWith(line);
            string what = $"truncation {line.GetProperty("truncation")}, padding {line.GetProperty("padding")}, {line.GetProperty("post_processor")}";
            foreach (JsonElement single in Array(line, "single").Concat(Array(line, "pair")))
            {
                (string, string?) texts = (single.GetProperty("text").GetString()!, single.TryGetProperty("pair", out JsonElement pair) ? pair.GetString() : null);
                foreach (string kind in (string[])["special", "plain"])
                {
                    if (single.TryGetProperty(kind, out JsonElement expected))
                        Compare(differences, [expected], tokenizer, [texts], kind == "special", $"{kind} {texts}: {what}");
                }
            }

            if (line.TryGetProperty("batch", out JsonElement batch))
                Compare(differences, [.. batch.GetProperty("special").EnumerateArray()], tokenizer, [.. batch.Texts("texts").Select(t => (t, (string?)null))], true, $"batch: {what}");
        }

        differences.AssertNone();
        Assert.True(differences.Compared > 2000, $"only {differences.Compared} comparisons");
    }

    private static JsonElement[] Array(JsonElement line, string name) => line.TryGetProperty(name, out JsonElement items) ? [.. items.EnumerateArray()] : [];

    private static Tokenizer LoadWith(JsonElement line)
    {
        JsonObject root = JsonNode.Parse(File.ReadAllText(Path.Combine(TokenizerGolden.Root, line.GetProperty("base").GetString()!, "tokenizer.json")))!.AsObject();
        foreach (string section in (string[])["truncation", "padding", "post_processor"])
            root[section] = JsonNode.Parse(line.GetProperty(section).GetRawText());
        using TemporaryTokenizer files = new();
        files.Write("tokenizer.json", root.ToJsonString());
        return Tokenizer.Load(files.Path);
    }

    private static void Compare(Differences differences, JsonElement[] expected, Tokenizer tokenizer, (string, string?)[] texts, bool special, string what)
    {
        if (expected.Any(e => e.TryGetProperty("error", out _)))
        {
            Assert.Equal("LB0214", Assert.Throws<DiagnosticException>(() => tokenizer.EncodeBatch(texts, special, tokenizer.Truncation, tokenizer.Padding)).Diagnostics[0].Code);
            return;
        }

        Encoding[] actual = tokenizer.EncodeBatch(texts, special, tokenizer.Truncation, tokenizer.Padding);
        Assert.Equal(expected.Length, actual.Length);
        foreach ((JsonElement e, Encoding a) in expected.Zip(actual))
        {
            differences.Compare(e.Ints("ids"), a.Ids, () => $"ids of {what}");
            differences.Compare(e.Ints("offsets"), TokenizerGolden.Flatten(a.Offsets), () => $"offsets of {what}");
            differences.Compare(e.Ints("attention_mask"), a.AttentionMask, () => $"attention of {what}");
            differences.Compare(e.Ints("special_tokens_mask"), a.SpecialTokensMask.Select(m => m ? 1 : 0), () => $"mask of {what}");
            differences.Compare(e.Ints("type_ids"), a.TypeIds, () => $"types of {what}");
            differences.Compare(
                e.GetProperty("overflow").EnumerateArray().Select(o => string.Join(' ', o.EnumerateArray())),
                a.Overflowing.Select(o => string.Join(' ', o.Ids)),
                () => $"overflow of {what}");
        }
    }
}
