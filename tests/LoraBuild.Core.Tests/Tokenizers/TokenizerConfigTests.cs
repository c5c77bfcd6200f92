// What tokenizer_config.json, special_tokens_map.json and added_tokens.json change, against transformers.
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class TokenizerConfigTests
{
    public static TheoryData<string> Cases => [.. TokenizerGolden.Lines("config_cases.jsonl").Select(l => l.GetProperty("name").GetString()!)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Special_tokens_ids_and_texts_are_those_of_transformers(string name)
    {
        JsonElement line = TokenizerGolden.Lines("config_cases.jsonl").First(l => l.GetProperty("name").GetString() == name);
        JsonElement expected = line.GetProperty("expected");
        using TemporaryTokenizer files = Write(line);
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        Differences differences = new();
        (string Role, string? Token, int? Id)[] roles =
        [
            ("bos_token", tokenizer.BosToken, tokenizer.BosTokenId), ("eos_token", tokenizer.EosToken, tokenizer.EosTokenId),
            ("pad_token", tokenizer.PadToken, tokenizer.PadTokenId), ("unk_token", tokenizer.UnkToken, tokenizer.UnkTokenId),
        ];
        foreach ((string role, string? token, int? id) in roles)
        {
            string? wanted = expected.GetProperty("special_tokens_map").TryGetProperty(role, out JsonElement t) ? t.GetString() : null;
            differences.Compare(wanted, token, () => role);
            int? wantedId = expected.GetProperty("ids").TryGetProperty(role, out JsonElement i) && i.ValueKind == JsonValueKind.Number ? i.GetInt32() : null;
            differences.Compare([wantedId], [id], () => $"id of {role}");
        }

        foreach (JsonElement encode in expected.GetProperty("encode").EnumerateArray())
        {
            string text = encode.GetProperty("text").GetString()!;
            int[] plain = encode.Ints("ids_plain");
            int[] ids = [.. encode.GetProperty("call").GetProperty("input_ids").EnumerateArray().Select(x => x.GetInt32())];
            differences.Compare(plain, tokenizer.EncodeToIds(text, addSpecialTokens: false), () => $"plain ids of {TokenizerGolden.Show(text)}");
            differences.Compare(ids, tokenizer.EncodeToIds(text), () => $"ids of {TokenizerGolden.Show(text)}");
            differences.Compare(encode.GetProperty("decode").GetString(), tokenizer.Decode(ids), () => $"text of {TokenizerGolden.Show(text)}");
            differences.Compare(encode.GetProperty("decode_skip").GetString(), tokenizer.Decode(ids, skipSpecialTokens: true), () => $"text without special tokens of {TokenizerGolden.Show(text)}");
        }

        Assert.Equal(expected.GetProperty("len").GetInt32(), tokenizer.VocabularySize);
        Assert.Equal(expected.GetProperty("padding_side").GetString(), tokenizer.PaddingSide.ToString().ToLowerInvariant());
        Assert.Equal(expected.GetProperty("truncation_side").GetString(), tokenizer.TruncationSide.ToString().ToLowerInvariant());
        differences.AssertNone();
    }

    public static TheoryData<string> BatchCases =>
        [.. TokenizerGolden.Lines("config_cases.jsonl").Where(l => l.GetProperty("expected").TryGetProperty("batch_padded", out _)).Select(l => l.GetProperty("name").GetString()!)];

    [Theory]
    [MemberData(nameof(BatchCases))]
    public void Batches_are_cut_and_filled_up_on_the_configured_sides(string name)
    {
        JsonElement line = TokenizerGolden.Lines("config_cases.jsonl").First(l => l.GetProperty("name").GetString() == name);
        JsonElement expected = line.GetProperty("expected");
        using TemporaryTokenizer files = Write(line);
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        (string, string?)[] texts = [.. expected.GetProperty("encode").EnumerateArray().Select(e => (e.GetProperty("text").GetString()!, (string?)null))];
        PaddingOptions padding = new(tokenizer.PadTokenId!.Value, tokenizer.PadToken!, Direction: tokenizer.PaddingSide);
        CompareBatch(expected.GetProperty("batch_padded"), tokenizer.EncodeBatch(texts, padding: padding));
        CompareBatch(expected.GetProperty("batch_max_length_3"), tokenizer.EncodeBatch(texts, truncation: new TruncationOptions(3, tokenizer.TruncationSide), padding: padding));
    }

    private static void CompareBatch(JsonElement expected, Encoding[] actual)
    {
        int[][] Rows(string key) => [.. expected.GetProperty(key).EnumerateArray().Select(row => row.EnumerateArray().Select(x => x.GetInt32()).ToArray())];
        Assert.Equal(Rows("input_ids"), actual.Select(e => e.Ids));
        Assert.Equal(Rows("attention_mask"), actual.Select(e => e.AttentionMask));
        if (expected.TryGetProperty("token_type_ids", out _))
            Assert.Equal(Rows("token_type_ids"), actual.Select(e => e.TypeIds));
    }

    public static TheoryData<string> TemplateCases => [.. TokenizerGolden.Lines("config_cases.jsonl").Select(l => l.GetProperty("name").GetString()!).Where(n => n.StartsWith("tpl-", StringComparison.Ordinal))];

    /// <summary>transformers takes <c>tool_use</c> when tools are given (even none), else <c>default</c>; a name that is no template is a template itself.</summary>
    [Theory]
    [MemberData(nameof(TemplateCases))]
    public void Chat_templates_are_found_and_rendered_with_the_configured_tokens(string name)
    {
        JsonElement line = TokenizerGolden.Lines("config_cases.jsonl").First(l => l.GetProperty("name").GetString() == name);
        using TemporaryTokenizer files = Write(line);
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        IReadOnlyDictionary<string, string> templates = tokenizer.ChatTemplates;
        foreach (JsonProperty call in line.GetProperty("expected").GetProperty("apply_chat_template").EnumerateObject())
        {
            JsonArray? tools = call.Name switch { "tools_empty" => [], "tools_one" => [JsonNode.Parse("""{"type": "function"}""")], _ => null };
            string? source = call.Name == "named_other" ? templates.GetValueOrDefault("other", "other")
                : tools is not null && templates.TryGetValue("tool_use", out string? forTools) ? forTools
                : tokenizer.ChatTemplateSource;
            // transformers' ValueError: there is no such template; a TypeError comes from the template itself.
            bool fails = call.Value.ValueKind == JsonValueKind.Object;
            if (fails && call.Value.GetProperty("error").GetString() == "ValueError")
            {
                Assert.Null(source);
                continue;
            }

            JsonObject variables = [];
            foreach ((string role, string token) in tokenizer.ConfigVariables)
                variables[role] = token;
            if (call.Name == "kwarg_overrides_bos")
                variables["bos_token"] = "ZZ";
            ChatRenderRequest request = new() { Messages = [new JsonObject { ["role"] = "user", ["content"] = "\uC548\uB155 hi" }], Tools = tools, Variables = variables };
            ChatTemplate template = ChatTemplate.Parse(source!, name);
            if (fails)
                Assert.Contains(call.Value.GetProperty("message").GetString()!, Assert.Throws<DiagnosticException>(() => template.Render(request)).Message, StringComparison.Ordinal);
            else
                Assert.Equal(call.Value.GetString(), template.Render(request).Text);
        }
    }

    /// <summary>The directory that a case describes.</summary>
    private static TemporaryTokenizer Write(JsonElement line)
    {
        TemporaryTokenizer files = new();
        JsonObject root = JsonNode.Parse(File.ReadAllText(Path.Combine(TokenizerGolden.Root, line.GetProperty("base").GetString()!, "tokenizer.json")))!.AsObject();
        if (line.TryGetProperty("tokenizer_json_patch", out JsonElement patch))
        {
            foreach (JsonProperty section in patch.EnumerateObject())
                root[section.Name] = JsonNode.Parse(section.Value.GetRawText());
        }

        files.Write("tokenizer.json", root.ToJsonString());
        foreach (JsonProperty file in line.GetProperty("files").EnumerateObject())
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(files.Path, file.Name))!);
            files.Write(file.Name, file.Value.ValueKind == JsonValueKind.String ? file.Value.GetString()! : file.Value.GetRawText());
        }

        return files;
    }
}
