// Every golden tokenizer gives the reference library's ids, tokens, offsets and texts.
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class TokenizerTests
{
    public static TheoryData<string> Names => [.. AllNames];

    public static TheoryData<string> NamesWithLong => [.. AllNames.Where(n => !n.StartsWith("flags-", StringComparison.Ordinal))];

    private static readonly string[] AllNames =
    [
        "gpt2", "smollm2", "llama3", "qwen2", "o200k", "deepseek", "flags-bytelevel", "flags-lower",
        "gemma2", "llama2-legacy", "mistral-metaspace", "phi3", "flags-prepend", "t5-unigram", "bert-uncased",
    ];

    [Theory]
    [MemberData(nameof(Names))]
    public void Cases_are_encoded_and_decoded_as_the_reference_does(string name)
    {
        Tokenizer tokenizer = TokenizerGolden.Load(name);
        Differences differences = new();
        foreach (JsonElement line in TokenizerGolden.Lines($"{name}/cases.jsonl"))
        {
            string text = line.TryGetProperty("i", out JsonElement i) ? TokenizerGolden.Strings[i.GetInt32()] : line.GetProperty("text").GetString()!;
            string shown = TokenizerGolden.Show(text);
            Encoding plain = tokenizer.Encode(text, addSpecialTokens: false);
            int[] ids = line.Ints("ids");
            int[] idsSpecial = line.IntsOr("ids_special", ids);
            differences.Compare(ids, plain.Ids, () => $"ids of {shown}");
            differences.Compare(line.Ints("offsets"), TokenizerGolden.Flatten(plain.Offsets), () => $"offsets of {shown}");
            differences.Compare(line.IntsOr("byte_offsets", line.Ints("offsets")), InBytes(text, plain.Offsets), () => $"byte offsets of {shown}");
            string[] tokens = line.TryGetProperty("tokens", out _) ? line.Texts("tokens") : [.. ids.Select(id => tokenizer.IdToToken(id)!)];
            differences.Compare(tokens, plain.Tokens, () => $"tokens of {shown}");
            differences.Compare(ids, tokenizer.EncodeToIds(text, addSpecialTokens: false), () => $"fast ids of {shown}");
            Encoding special = tokenizer.Encode(text);
            differences.Compare(idsSpecial, special.Ids, () => $"ids with special tokens of {shown}");
            differences.Compare(idsSpecial, tokenizer.EncodeToIds(text), () => $"fast ids with special tokens of {shown}");
            int[] offsetsSpecial = TokenizerGolden.Flatten(special.Offsets.Where((_, k) => !special.SpecialTokensMask[k]));
            if (line.TryGetProperty("offsets_special", out JsonElement _))
                differences.Compare(line.Ints("offsets_special"), TokenizerGolden.Flatten(special.Offsets), () => $"offsets with special tokens of {shown}");
            else
                differences.Compare(line.Ints("offsets"), offsetsSpecial, () => $"offsets with special tokens of {shown}");
            // The reference computed these only for the texts that were made from the tokenizer's own added tokens.
            if (line.TryGetProperty("text", out _))
            {
                int[] idsSplit = line.IntsOr("ids_split_special", ids);
                differences.Compare(idsSplit, tokenizer.Encode(text, false, splitSpecialTokens: true).Ids, () => $"ids without looking for special tokens of {shown}");
                differences.Compare(idsSplit, tokenizer.EncodeToIds(text, false, splitSpecialTokens: true), () => $"fast ids without looking for special tokens of {shown}");
            }

            differences.Compare(line.StringOr("decoded", text), tokenizer.Decode(ids, skipSpecialTokens: true), () => $"decoding of {shown}");
            differences.Compare(line.StringOr("decoded_special", text), tokenizer.Decode(idsSpecial), () => $"decoding with special tokens of {shown}");
        }

        differences.AssertNone();
    }

    /// <summary>
    /// Newer transformers rebuild some classes' tokenizers from vocabulary and merges and lose parts of tokenizer.json; where they differ, the ids here are tokenizer.json's.
    /// </summary>
    [Fact]
    public void Where_the_auto_classes_differ_tokenizer_json_is_followed()
    {
        Differences differences = new();
        HashSet<string> seen = [];
        foreach (JsonElement line in TokenizerGolden.Lines("auto_class.jsonl"))
        {
            string name = line.GetProperty("tokenizer").GetString()!;
            Assert.True(seen.Add(name));
            foreach (JsonElement example in line.GetProperty("examples").EnumerateArray())
            {
                string text = example.GetProperty("text").GetString()!;
                int[] ids = TokenizerGolden.Load(name).EncodeToIds(text, addSpecialTokens: false);
                differences.Compare(example.Ints("tokenizer_json"), ids, () => $"{name}: {TokenizerGolden.Show(text)}");
                Assert.NotEqual(example.Ints("auto"), ids);
            }
        }

        differences.AssertNone();
        Assert.Equal(AllNames.Order(StringComparer.Ordinal), seen.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_fuzz_set_is_encoded_as_the_reference_does(string name)
    {
        Tokenizer tokenizer = TokenizerGolden.Load(name);
        Differences differences = new();
        foreach (JsonElement line in TokenizerGolden.Lines($"{name}/fuzz.jsonl"))
        {
            string text = TokenizerGolden.FuzzStrings[line.GetProperty("i").GetInt32()];
            string shown = TokenizerGolden.Show(text);
            Encoding encoding = tokenizer.Encode(text, addSpecialTokens: false);
            differences.Compare(line.Ints("ids"), encoding.Ids, () => $"ids of {shown}");
            differences.Compare(line.Ints("ids"), tokenizer.EncodeToIds(text, addSpecialTokens: false), () => $"fast ids of {shown}");
            differences.Compare([line.GetProperty("offsets_crc32").GetUInt32()], [Crc32(TokenizerGolden.Flatten(encoding.Offsets))], () => $"offsets of {shown}: {string.Join(' ', encoding.Offsets)}");
            differences.Compare(line.StringOr("decoded", text), tokenizer.Decode(encoding.Ids, skipSpecialTokens: true), () => $"decoding of {shown}");
            if (line.TryGetProperty("tokens", out _))
                differences.Compare(line.Texts("tokens"), encoding.Tokens, () => $"tokens of {shown}");
        }

        differences.AssertNone();
    }

    [Theory]
    [MemberData(nameof(NamesWithLong))]
    public void Long_texts_are_encoded_as_the_reference_does(string name)
    {
        Tokenizer tokenizer = TokenizerGolden.Load(name);
        Dictionary<string, string> texts = TokenizerGolden.Lines("long_strings.jsonl").ToDictionary(
            l => l.GetProperty("name").GetString()!,
            l => l.TryGetProperty("file", out JsonElement file)
                ? File.ReadAllText(Path.Combine(TokenizerGolden.Root, file.GetString()!))
                : string.Concat(Enumerable.Repeat(l.GetProperty("repeat").GetString()!, l.GetProperty("count").GetInt32())));
        Differences differences = new();
        foreach (JsonElement line in TokenizerGolden.Lines($"{name}/long.jsonl"))
        {
            string textName = line.GetProperty("name").GetString()!;
            Encoding encoding = tokenizer.Encode(texts[textName], addSpecialTokens: false);
            differences.Compare([line.GetProperty("count").GetInt32()], [encoding.Count], () => $"count of {textName}");
            differences.Compare(line.Ints("tail"), encoding.Ids.TakeLast(line.Ints("tail").Length), () => $"tail of {textName}");
            foreach (JsonElement point in line.GetProperty("checkpoints").EnumerateArray())
            {
                int k = point[0].GetInt32();
                differences.Compare([point[1].GetInt32(), point[2].GetInt32()], [encoding.Ids[k], encoding.Offsets[k].Start], () => $"token {k} of {textName}");
            }

            differences.Compare(line.Ints("head"), encoding.Ids.Take(line.Ints("head").Length), () => $"head of {textName}");
            differences.Compare(line.GetProperty("ids_sha256").GetString(), Sha256(encoding.Ids), () => $"ids of {textName}");
            differences.Compare(line.GetProperty("offsets_sha256").GetString(), Sha256(TokenizerGolden.Flatten(encoding.Offsets)), () => $"offsets of {textName}");
            differences.Compare(encoding.Ids, tokenizer.EncodeToIds(texts[textName], addSpecialTokens: false), () => $"fast ids of {textName}");
        }

        differences.AssertNone();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Arbitrary_ids_are_decoded_as_the_reference_does(string name)
    {
        Tokenizer tokenizer = TokenizerGolden.Load(name);
        Differences differences = new();
        foreach (JsonElement line in TokenizerGolden.Lines($"{name}/decode.jsonl"))
        {
            int[] ids = line.Ints("ids");
            differences.Compare(line.GetProperty("tokens").EnumerateArray().Select(t => t.GetString()), ids.Select(tokenizer.IdToToken), () => $"tokens of {string.Join(' ', ids)}");
            differences.Compare(line.GetProperty("text").GetString(), tokenizer.Decode(ids), () => $"text of {string.Join(' ', ids)}");
            differences.Compare(line.StringOr("text_skip", line.GetProperty("text").GetString()!), tokenizer.Decode(ids, skipSpecialTokens: true), () => $"text without special tokens of {string.Join(' ', ids)}");
        }

        differences.AssertNone();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Complete_encodings_of_texts_and_pairs_equal_the_reference(string name)
    {
        Tokenizer tokenizer = TokenizerGolden.Load(name);
        Differences differences = new();
        foreach (JsonElement line in TokenizerGolden.Lines($"{name}/full.jsonl"))
        {
            string text = line.GetProperty("text").GetString()!;
            string? pair = line.TryGetProperty("pair", out JsonElement p) ? p.GetString() : null;
            foreach (string kind in (string[])["plain", "special"])
            {
                bool special = kind == "special";
                Encoding e = pair is null ? tokenizer.Encode(text, special) : tokenizer.EncodePair(text, pair, special);
                JsonElement expected = line.GetProperty(kind);
                string shown = $"of {TokenizerGolden.Show(text)} and {TokenizerGolden.Show(pair ?? "")}, {kind}";
                differences.Compare(expected.Ints("ids"), e.Ids, () => $"ids {shown}");
                differences.Compare(expected.Texts("tokens"), e.Tokens, () => $"tokens {shown}");
                differences.Compare(expected.Ints("type_ids"), e.TypeIds, () => $"type ids {shown}");
                differences.Compare(expected.Ints("special_tokens_mask"), e.SpecialTokensMask.Select(m => m ? 1 : 0), () => $"mask {shown}");
                differences.Compare(expected.Ints("attention_mask"), e.AttentionMask, () => $"attention {shown}");
                differences.Compare(Nullable(expected, "word_ids"), e.WordIds, () => $"word ids {shown}");
                differences.Compare(Nullable(expected, "sequence_ids"), e.SequenceIds, () => $"sequence ids {shown}");
                differences.Compare(expected.GetProperty("offsets").EnumerateArray().SelectMany(o => o.ValueKind == JsonValueKind.Array ? o.EnumerateArray().Select(x => x.GetInt32()) : [o.GetInt32()]), TokenizerGolden.Flatten(e.Offsets), () => $"offsets {shown}");
            }
        }

        differences.AssertNone();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Added_tokens_have_the_reference_ids(string name)
    {
        Tokenizer tokenizer = TokenizerGolden.Load(name);
        JsonElement meta = JsonElement.Parse(File.ReadAllText(Path.Combine(TokenizerGolden.Root, name, "meta.json")));
        Assert.Equal(
            meta.GetProperty("added_tokens").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!),
            tokenizer.AddedTokens.ToDictionary(t => $"{t.Id}", t => t.Content));
        Assert.Equal(meta.GetProperty("vocab_size_with_added").GetInt32(), tokenizer.VocabularySize);
    }

    /// <summary>Offsets in code points as offsets in UTF-8 bytes.</summary>
    private static int[] InBytes(string text, (int Start, int End)[] offsets)
    {
        List<int> byteOf = [0];
        foreach (System.Text.Rune rune in text.EnumerateRunes())
            byteOf.Add(byteOf[^1] + rune.Utf8SequenceLength);
        return [.. TokenizerGolden.Flatten(offsets).Select(o => byteOf[o])];
    }

    private static int[] Nullable(JsonElement e, string name) => [.. e.GetProperty(name).EnumerateArray().Select(x => x.ValueKind == JsonValueKind.Null ? -1 : x.GetInt32())];

    private static byte[] LittleEndian(int[] values)
    {
        var bytes = new byte[values.Length * 4];
        for (int i = 0; i < values.Length; i++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i * 4), values[i]);
        return bytes;
    }

    private static string Sha256(int[] values) => Convert.ToHexStringLower(SHA256.HashData(LittleEndian(values)));

    /// <summary>CRC-32 as in zlib.</summary>
    private static uint Crc32(int[] values)
    {
        uint crc = 0xFFFFFFFF;
        foreach (byte b in LittleEndian(values))
        {
            crc ^= b;
            for (int k = 0; k < 8; k++)
                crc = (crc >> 1) ^ (0xEDB88320 & (uint)-(int)(crc & 1));
        }

        return ~crc;
    }
}
