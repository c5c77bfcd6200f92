// A directory that ships only a SentencePiece model gives the ids that its tokenizer.json would give.
using System.Text.Json;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Tokenizers.SentencePiece;

public sealed class SentencePieceTests
{
    private static string Folder(string name) => Path.Combine(GoldenParts.Root, "sentencepiece", name);

    [Theory]
    [InlineData("mistral")]
    [InlineData("gemma2")]
    [InlineData("phi3")]
    public void A_bpe_model_alone_gives_the_ids_of_the_tokenizer_json(string name)
    {
        using TemporaryTokenizer files = new();
        foreach (string file in (string[])["tokenizer.model", "tokenizer_config.json"])
            File.Copy(Path.Combine(Folder(name), file), Path.Combine(files.Path, file));
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        Tokenizer other = Tokenizer.Load(Folder(name));
        Differences differences = new();
        foreach (JsonElement line in JsonElement.Parse(File.ReadAllText(Path.Combine(Folder(name), "text.json"))).GetProperty("tokenise").EnumerateArray())
        {
            string text = line.GetProperty("text").GetString()!;
            differences.Compare(line.Ints("ids"), tokenizer.EncodeToIds(text), () => $"ids of {TokenizerGolden.Show(text)}");
            differences.Compare(line.Ints("ids_plain"), tokenizer.EncodeToIds(text, addSpecialTokens: false), () => $"plain ids of {TokenizerGolden.Show(text)}");
        }

        foreach (string text in TokenizerGolden.Strings.Concat(TokenizerGolden.FuzzStrings))
        {
            int[] ids = other.EncodeToIds(text);
            differences.Compare(ids, tokenizer.EncodeToIds(text), () => $"ids of {TokenizerGolden.Show(text)}");
            differences.Compare(other.Decode(ids), tokenizer.Decode(ids), () => $"decoding of {TokenizerGolden.Show(text)}");
        }

        differences.AssertNone();
        Assert.Equal((other.BosToken, other.EosTokenId, other.VocabularySize), (tokenizer.BosToken, tokenizer.EosTokenId, tokenizer.VocabularySize));
    }

    [Fact]
    public void A_model_without_any_configuration_names_its_own_special_tokens()
    {
        using TemporaryTokenizer files = new();
        File.Copy(Path.Combine(Folder("mistral"), "tokenizer.model"), Path.Combine(files.Path, "tokenizer.model"));
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        Assert.Equal(("<s>", "</s>", "<unk>", null), (tokenizer.BosToken, tokenizer.EosToken, tokenizer.UnkToken, tokenizer.PadToken));
        Assert.Equal([1, .. tokenizer.EncodeToIds("a", false)], tokenizer.EncodeToIds("a"));
        files.Write("tokenizer_config.json", """{"add_bos_token": false, "add_eos_token": true}""");
        tokenizer = Tokenizer.Load(files.Path);
        Assert.Equal([.. tokenizer.EncodeToIds("a", false), 2], tokenizer.EncodeToIds("a"));
    }

    [Fact]
    public void A_unigram_model_of_t5_gives_the_reference_ids()
    {
        JsonElement golden = JsonElement.Parse(File.ReadAllText(Path.Combine(TokenizerGolden.Root, "t5-unigram", "tokenizer.json")));
        JsonElement[] pieces = [.. golden.GetProperty("model").GetProperty("vocab").EnumerateArray().Where(p => !p[0].GetString()!.StartsWith("<extra_id_", StringComparison.Ordinal))];
        byte[] charsMap = golden.GetProperty("normalizer").GetProperty("precompiled_charsmap").GetBytesFromBase64();
        using TemporaryTokenizer files = new();
        File.WriteAllBytes(Path.Combine(files.Path, "spiece.model"), Model(pieces.Select((p, i) => (p[0].GetString()!, (float)p[1].GetDouble(), i == 2 ? 2 : i < 2 ? 3 : 1)), charsMap));
        int extraIds = golden.GetProperty("model").GetProperty("vocab").GetArrayLength() - pieces.Length;
        files.Write("tokenizer_config.json", $$"""{"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": {{extraIds}}}""");
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        Tokenizer reference = TokenizerGolden.Load("t5-unigram");
        Differences differences = new();
        foreach (string text in TokenizerGolden.Strings.Concat(TokenizerGolden.FuzzStrings))
        {
            differences.Compare(reference.EncodeToIds(text), tokenizer.EncodeToIds(text), () => $"ids of {TokenizerGolden.Show(text)}");
            differences.Compare(reference.Decode(reference.EncodeToIds(text)), tokenizer.Decode(tokenizer.EncodeToIds(text)), () => $"decoding of {TokenizerGolden.Show(text)}");
        }

        differences.AssertNone();
        Assert.Equal(reference.VocabularySize, tokenizer.VocabularySize);
    }

    [Fact]
    public void Xlm_roberta_puts_four_special_tokens_before_the_pieces_and_the_mask_behind()
    {
        using TemporaryTokenizer files = new();
        (string, float, int)[] pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("\u2581", -2, 1), ("\u2581a", -1, 1), ("b", -1, 1)];
        File.WriteAllBytes(Path.Combine(files.Path, "sentencepiece.bpe.model"), Model(pieces, []));
        files.Write("tokenizer_config.json", """{"tokenizer_class": "XLMRobertaTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}""");
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        Assert.Equal([0, 5, 6, 3, 2], tokenizer.EncodeToIds("ab?"));
        Assert.Equal([0, 5, 2, 2, 5, 2], tokenizer.EncodePair("a", "a").Ids);
        Assert.Equal((1, 7), (tokenizer.PadTokenId, tokenizer.TokenToId("<mask>")));
    }

    [Fact]
    public void A_file_that_is_no_model_is_refused_with_the_byte()
    {
        byte[] good = File.ReadAllBytes(Path.Combine(Folder("mistral"), "tokenizer.model"));
        foreach (byte[] bad in (byte[][])[good[..(good.Length / 2)], "version https://git-lfs.github.com/spec/v1"u8.ToArray(), [], [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]])
        {
            using TemporaryTokenizer files = new();
            File.WriteAllBytes(Path.Combine(files.Path, "tokenizer.model"), bad);
            Diagnostic diagnostic = Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0];
            Assert.Equal(("LB0211", Path.Combine(files.Path, "tokenizer.model")), (diagnostic.Code, diagnostic.File));
        }
    }

    [Fact]
    public void A_word_model_is_refused()
    {
        using TemporaryTokenizer files = new();
        File.WriteAllBytes(Path.Combine(files.Path, "tokenizer.model"), [.. Model([("<unk>", 0, 2), ("a", 0, 1)], []), .. Field(2, [0x18, 3])]);
        Diagnostic diagnostic = Assert.Throws<DiagnosticException>(() => Tokenizer.Load(files.Path)).Diagnostics[0];
        Assert.Equal("LB0204", diagnostic.Code);
        Assert.Contains("Word", diagnostic.Message, StringComparison.Ordinal);
    }

    /// <summary>A Unigram model as SentencePiece writes it: pieces (text 1, score 2, type 3) in field 1, unk_id (40) in field 2, the character map (2) in field 3.</summary>
    private static byte[] Model(IEnumerable<(string Text, float Score, int Type)> pieces, byte[] charsMap)
    {
        List<byte> bytes = [];
        int unknown = -1;
        int id = 0;
        foreach ((string text, float score, int type) in pieces)
        {
            bytes.AddRange(Field(1, [.. Field(1, System.Text.Encoding.UTF8.GetBytes(text)), 0x15, .. BitConverter.GetBytes(score), 0x18, (byte)type]));
            unknown = type == 2 ? id : unknown;
            id++;
        }

        bytes.AddRange(Field(2, [0xC0, 0x02, (byte)unknown]));
        bytes.AddRange(Field(3, Field(2, charsMap)));
        return [.. bytes];
    }

    private static byte[] Field(int number, byte[] content)
    {
        List<byte> bytes = [(byte)((number << 3) | 2)];
        uint length = (uint)content.Length;
        for (; length >= 0x80; length >>= 7)
            bytes.Add((byte)(length | 0x80));
        bytes.Add((byte)length);
        bytes.AddRange(content);
        return [.. bytes];
    }
}
