// The character classes and normalization tables against the reference library's, over all code points.
using System.Text.Json;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Core.Tokenizers.Normalizers;
using LoraBuild.Core.Tokenizers.Regex;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tests.Tokenizers.Unicode;

public sealed class UnicodeTests
{
    [Fact]
    public void Every_class_holds_exactly_the_code_points_of_the_reference()
    {
        Differences differences = new();
        foreach (JsonElement line in TokenizerGolden.Lines("unicode.jsonl"))
        {
            if (!line.TryGetProperty("class", out JsonElement named))
                continue;
            string name = named.GetString()!;
            Func<int, bool> test = Test(name);
            HashSet<int> expected = [.. line.GetProperty("ranges").EnumerateArray().SelectMany(r => Enumerable.Range(r[0].GetInt32(), r[1].GetInt32() - r[0].GetInt32() + 1))];
            int[] wrong = [.. Enumerable.Range(0, 0x110000).Where(c => c is < 0xD800 or > 0xDFFF).Where(c => test(c) != expected.Contains(c))];
            differences.Compare([], wrong.Select(c => $"{c:X}"), () => name);
        }

        differences.AssertNone();
    }

    [Fact]
    public void What_the_reference_normalizes_otherwise_than_unicode_16_is_normalized_so_here()
    {
        Differences differences = new();
        foreach (JsonElement line in TokenizerGolden.Lines("unicode.jsonl"))
        {
            if (!line.TryGetProperty("differs_from_unicodedata", out JsonElement form))
                continue;
            INormalizer normalizer = Normalizer(form.GetString() == "lowercase" ? "Lowercase" : form.GetString()!);
            foreach (JsonProperty entry in line.GetProperty("map").EnumerateObject())
            {
                string expected = string.Concat(entry.Value.EnumerateArray().Select(c => char.ConvertFromUtf32(c.GetInt32())));
                string text = char.ConvertFromUtf32(int.Parse(entry.Name, System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture));
                differences.Compare(expected, Run(normalizer, text), () => $"{form} of {entry.Name}");
            }
        }

        differences.AssertNone();
    }

    private static Func<int, bool> Test(string name)
    {
        string? pattern = name.StartsWith("regex_i_", StringComparison.Ordinal) ? $"(?i:{name[8..]})"
            : name is "regex_s" or "regex_w" or "regex_d" ? $"[\\{name[6..]}]"
            : name.StartsWith("regex_", StringComparison.Ordinal) ? $"[\\p{{{name[6..]}}}]" : null;
        if (pattern is not null)
            return RegexParser.Parse(pattern).First!.Contains;
        return name switch
        {
            "digits_is_numeric" => UnicodeClasses.IsNumeric,
            "whitespacesplit_is_whitespace" or "bert_whitespace" or "strip_whitespace" or "added_strip_s" => UnicodeClasses.IsWhiteSpace,
            "punctuation_is_punc" or "bert_punc" => UnicodeClasses.IsPunctuation,
            "bert_clean_removed" => BertNormalizer.IsRemoved,
            "bert_clean_to_space" => c => UnicodeClasses.IsWhiteSpace(c) && !BertNormalizer.IsRemoved(c),
            "bert_cjk" => UnicodeClasses.IsBertIdeograph,
            "strip_accents_removed" => NormalizationData.IsKnownMark,
            "added_single_word_w" => UnicodeClasses.IsWordBesideAddedToken,
            _ => throw new InvalidOperationException(name),
        };
    }

    [Theory]
    [InlineData("NFC", "NFD")]
    [InlineData("NFKC", "NFKD")]
    public void Composing_what_was_decomposed_gives_the_composed_text(string composed, string decomposed)
    {
        INormalizer c = Normalizer(composed);
        INormalizer d = Normalizer(decomposed);
        Differences differences = new();
        foreach (string text in TokenizerGolden.FuzzStrings.Concat(TokenizerGolden.Strings))
        {
            string one = Run(c, text);
            differences.Compare(one, Run(c, Run(d, text)), () => $"{composed} of {TokenizerGolden.Show(text)}");
            differences.Compare(one, Run(c, one), () => $"{composed} twice of {TokenizerGolden.Show(text)}");
        }

        differences.AssertNone();
    }

    private static INormalizer Normalizer(string type) => NormalizerReader.Read(JsonSource.Parse(System.Text.Encoding.UTF8.GetBytes($$"""{"type":"{{type}}"}"""), "test.json").Root);

    private static string Run(INormalizer normalizer, string text) => normalizer.Normalize(new TextPiece(new AlignedText(text), 0, text.Length), hasPlaces: false).Span.ToString();
}
