// Odd texts, long texts, several threads, damaged files, and what the configuration files say.
using System.Diagnostics;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers;
using Encoding = LoraBuild.Core.Tokenizers.Encoding;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class TokenizerRobustnessTests
{
    [Theory]
    [InlineData("gpt2", 'a')]
    [InlineData("llama3", ' ')]
    [InlineData("o200k", 'A')]
    [InlineData("gemma2", 'a')]
    [InlineData("qwen2", '\u0301')]
    [InlineData("deepseek", '!')]
    public void A_million_times_one_character_is_quick(string name, char c)
    {
        Tokenizer tokenizer = TokenizerGolden.Load(name);
        string text = new(c, 1_000_000);
        Stopwatch watch = Stopwatch.StartNew();
        int[] ids = tokenizer.EncodeToIds(text, addSpecialTokens: false);
        // A quadratic loop would take hours; the limit leaves room for a busy machine.
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}");
        Assert.Equal(text.Length, tokenizer.Decode(ids).Length);
    }

    [Fact]
    public void Offsets_count_code_points_and_nul_and_lone_surrogates_are_characters()
    {
        Tokenizer tokenizer = TokenizerGolden.Load("gpt2");
        Encoding encoding = tokenizer.Encode("😀a\0\uD800b");
        Assert.Equal("😀a\0\uFFFDb", tokenizer.Decode(encoding.Ids));
        Assert.Equal((0, 1), encoding.Offsets[0]);
        Assert.Equal((4, 5), encoding.Offsets[^1]);
    }

    [Fact]
    public void Several_threads_get_the_same_ids()
    {
        Tokenizer tokenizer = TokenizerGolden.Load("llama3");
        int[][] expected = [.. TokenizerGolden.Strings.Select(s => tokenizer.EncodeToIds(s))];
        Parallel.For(0, 2000, i =>
        {
            int k = i % expected.Length;
            Assert.Equal(expected[k], tokenizer.EncodeToIds(TokenizerGolden.Strings[k]));
        });
    }

    [Theory]
    [InlineData("(a+)+b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("(a|a)*c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void A_hostile_pattern_ends_in_a_diagnostic(string pattern, string text)
    {
        using TemporaryTokenizer files = Damaged(root => root["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!["Regex"] = pattern, "llama3");
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        Assert.Equal("LB0208", Assert.Throws<DiagnosticException>(() => tokenizer.EncodeToIds(text)).Diagnostics[0].Code);
        Assert.NotEmpty(tokenizer.EncodeToIds("ab"));
    }

    public static TheoryData<string, string, Action<JsonObject>> Damages => new()
    {
        { "LB0203", "model", root => root.Remove("model") },
        { "LB0203", "added_tokens[0]", root => root["added_tokens"]![0]!.AsObject().Remove("content") },
        { "LB0203", "model.vocab", root => root["model"]!["vocab"] = 5 },
        { "LB0204", "Imaginary", root => root["model"]!["type"] = "Imaginary" },
        { "LB0204", "Imaginary", root => root["normalizer"] = new JsonObject { ["type"] = "Imaginary" } },
        { "LB0204", "Imaginary", root => root["pre_tokenizer"]!["type"] = "Imaginary" },
        { "LB0204", "Imaginary", root => root["decoder"]!["type"] = "Imaginary" },
        { "LB0204", "Imaginary", root => root["post_processor"] = new JsonObject { ["type"] = "Imaginary" } },
        { "LB0204", "dropout", root => root["model"]!["dropout"] = 0.1 },
        { "LB0205", "two tokens", root => root["model"]!["vocab"]!["\""] = 0 },
        { "LB0205", "-1", root => root["model"]!["vocab"]!["\""] = -1 },
        { "LB0205", "missing-unk", root => root["model"]!["unk_token"] = "missing-unk" },
        { "LB0206", "qqqq", root => root["model"]!["merges"]!.AsArray().Add("qqqq z") },
        { "LB0206", "one space", root => root["model"]!["merges"]!.AsArray().Add("qqqq") },
        { "LB0207", "not closed", root => root["pre_tokenizer"] = JsonNode.Parse("""{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated","invert":false}""") },
        { "LB0207", "back references", root => root["pre_tokenizer"] = JsonNode.Parse("""{"type":"Split","pattern":{"Regex":"(a)\\1"},"behavior":"Isolated","invert":false}""") },
        { "LB0207", "Klingon", root => root["pre_tokenizer"] = JsonNode.Parse("""{"type":"Split","pattern":{"Regex":"\\p{Klingon}"},"behavior":"Isolated","invert":false}""") },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void A_damaged_tokenizer_json_is_refused_with_file_and_line(string code, string named, Action<JsonObject> damage)
    {
        using TemporaryTokenizer files = Damaged(damage, "gpt2");
        Diagnostic diagnostic = Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0];
        Assert.Equal(code, diagnostic.Code);
        Assert.Contains(named, diagnostic.Message, StringComparison.Ordinal);
        Assert.Equal(Path.Combine(files.Path, "tokenizer.json"), diagnostic.File);
        Assert.True(diagnostic.Line > 0);
    }

    [Fact]
    public void A_vocabulary_without_a_pipeline_is_refused_with_the_way_to_get_one()
    {
        using TemporaryTokenizer files = new();
        files.Write("vocab.json", "{\"a\": 0}");
        files.Write("merges.txt", "#version: 0.2\n");
        Diagnostic diagnostic = Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0];
        Assert.Equal("LB0201", diagnostic.Code);
        Assert.Contains("save_pretrained", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_missing_or_cut_off_is_refused()
    {
        using TemporaryTokenizer files = new();
        Assert.Equal("LB0201", Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0].Code);
        files.Write("tokenizer.json", "{\n\"version\": \"1.0\",\n\"model\": {");
        Diagnostic diagnostic = Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0];
        Assert.Equal(("LB0202", 3), (diagnostic.Code, diagnostic.Line));
    }

    [Fact]
    public void A_line_of_a_damaged_merge_is_the_line_in_the_file()
    {
        using TemporaryTokenizer files = new();
        files.Write("tokenizer.json", "{\"model\": {\"type\": \"BPE\",\n\"vocab\": {\"a\": 0, \"b\": 1},\n\"merges\": [\n\"a b\"]}}");
        Diagnostic diagnostic = Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0];
        Assert.Equal(("LB0206", 4), (diagnostic.Code, diagnostic.Line));
    }

    [Theory]
    [InlineData("normalizer", "NFKC")]
    [InlineData("pre_tokenizer", "UnicodeScripts")]
    [InlineData("post_processor", "TemplateProcessing")]
    [InlineData("decoder", "ByteFallback")]
    public void An_unknown_component_is_refused_with_the_known_ones(string key, string known)
    {
        using TemporaryTokenizer files = Damaged(root => root[key] = new JsonObject { ["type"] = "Nonsense" }, "gpt2");
        Diagnostic diagnostic = Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0];
        Assert.Equal("LB0204", diagnostic.Code);
        Assert.Contains("Nonsense", diagnostic.Message, StringComparison.Ordinal);
        Assert.Contains(known, diagnostic.Message, StringComparison.Ordinal);
        Assert.True(diagnostic.Line > 0);
    }

    [Fact]
    public void Components_nested_without_end_are_refused()
    {
        using TemporaryTokenizer files = new();
        const int Depth = 100_000;
        files.Write("tokenizer.json", "{\"normalizer\": " + string.Concat(Enumerable.Repeat("{\"type\":\"Sequence\",\"normalizers\":[", Depth)) + string.Concat(Enumerable.Repeat("]}", Depth)) + "}");
        Assert.Equal("LB0202", Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0].Code);
    }

    private static readonly byte[] Damage = [.. "\0\"{}[],:0-9nt\\"u8];

    [Fact]
    public void Every_damaged_byte_of_a_file_ends_in_a_tokenizer_or_a_diagnostic()
    {
        byte[] good = File.ReadAllBytes(Path.Combine(TokenizerGolden.Root, "flags-prepend", "tokenizer.json"));
        Random random = new(3);
        using TemporaryTokenizer files = new();
        int refused = 0;
        for (int i = 0; i < 60; i++)
        {
            byte[] bad = (byte[])good.Clone();
            // Most of the file is vocabulary; half of the damage goes where the components are.
            int at = random.Next(2) == 0 ? random.Next(Math.Min(bad.Length, 4000)) : random.Next(bad.Length);
            bad[at] = Damage[random.Next(Damage.Length)];
            File.WriteAllBytes(Path.Combine(files.Path, "tokenizer.json"), bad);
            try
            {
                Tokenizer.Load(files.Path).EncodeToIds("ab <x>");
            }
            catch (DiagnosticException e)
            {
                refused++;
                Assert.StartsWith("LB02", e.Diagnostics[0].Code, StringComparison.Ordinal);
            }
        }

        Assert.True(refused > 10, $"only {refused} were refused");
    }

    [Fact]
    public void Gaps_in_the_ids_are_a_warning()
    {
        using TemporaryTokenizer files = Damaged(root => root["model"]!["vocab"]!["new-token"] = 4000, "gpt2");
        DiagnosticBag bag = new();
        Assert.Equal(4001, Tokenizer.Load(files.Path, bag).VocabularySize);
        Assert.Equal("LB0210", Assert.Single(bag.All).Code);
    }

    [Fact]
    public void Special_tokens_and_the_chat_template_come_from_the_configuration()
    {
        using TemporaryTokenizer files = Damaged(_ => { }, "smollm2");
        files.Write("tokenizer_config.json", """{"bos_token": {"content": "<|im_start|>", "lstrip": false}, "eos_token": "<|im_end|>", "chat_template": [{"name": "default", "template": "one"}, {"name": "tool_use", "template": "two"}]}""");
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        Assert.Equal(("<|im_start|>", 1), (tokenizer.BosToken, tokenizer.BosTokenId));
        Assert.Equal(("<|im_end|>", 2), (tokenizer.EosToken, tokenizer.EosTokenId));
        Assert.Equal("one", tokenizer.ChatTemplateSource);
        Assert.Equal("two", tokenizer.ChatTemplates["tool_use"]);
        Assert.Equal("<|im_end|>", tokenizer.ConfigVariables["eos_token"]);
        files.Write("chat_template.jinja", "three");
        Assert.Equal("three", Tokenizer.Load(files.Path).ChatTemplateSource);
        files.Write("tokenizer_config.json", "{\n\"bos_token\": 5}");
        Diagnostic diagnostic = Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0];
        Assert.Equal(("LB0203", 2), (diagnostic.Code, diagnostic.Line));
    }

    private static TemporaryTokenizer Damaged(Action<JsonObject> damage, string name)
    {
        JsonObject root = JsonNode.Parse(File.ReadAllText(Path.Combine(TokenizerGolden.Root, name, "tokenizer.json")))!.AsObject();
        damage(root);
        TemporaryTokenizer files = new();
        files.Write("tokenizer.json", root.ToJsonString());
        return files;
    }
}
