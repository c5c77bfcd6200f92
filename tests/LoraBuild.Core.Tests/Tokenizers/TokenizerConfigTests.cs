// What tokenizer_config.json, special_tokens_map.json and added_tokens.json change, against transformers.
using System.Text.Json;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class TokenizerConfigTests
{
    /// <summary>Options of the Python call, not of the tokenizer: the decoder's clean-up of spaces, and splitting special tokens by default.</summary>
    private static readonly string[] NotOurs = ["cleanup-bpe-forced", "cleanup-wordpiece", "split-special"];

    public static TheoryData<string> Cases => [.. TokenizerGolden.Lines("config_cases.jsonl").Select(l => l.GetProperty("name").GetString()!).Except(NotOurs)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Special_tokens_ids_and_texts_are_those_of_transformers(string name)
    {
        JsonElement line = TokenizerGolden.Lines("config_cases.jsonl").First(l => l.GetProperty("name").GetString() == name);
        JsonElement expected = line.GetProperty("expected");
        using TemporaryTokenizer files = new();
        files.Write("tokenizer.json", File.ReadAllText(Path.Combine(TokenizerGolden.Root, line.GetProperty("base").GetString()!, "tokenizer.json")));
        foreach (JsonProperty file in line.GetProperty("files").EnumerateObject())
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(files.Path, file.Name))!);
            files.Write(file.Name, file.Value.ValueKind == JsonValueKind.String ? file.Value.GetString()! : file.Value.GetRawText());
        }

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

        differences.AssertNone();
    }
}
