// The tokenizer section of a GGUF file, from tokenizer.json and the files beside it.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Engine.Export;

internal static class GgufTokenizer
{
    private const string FileName = "tokenizer.json";

    /// <summary>llama.cpp's token types.</summary>
    private enum TokenType
    {
        Normal = 1,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6,
    }

    /// <exception cref="DiagnosticException">LB0706: a tokenizer that llama.cpp cannot represent, or that does not fit the model.</exception>
    public static List<GgufKey> Read(string directory, ModelConfig config)
    {
        string file = Path.Combine(directory, FileName);
        JsonObject tokenizer = JsonFile.ReadObject(file, "LB0706", "a GGUF file carries its tokenizer; copy tokenizer.json into the model directory");
        TokenizerSettings settings = TokenizerSettings.Read(directory);
        JsonObject model = tokenizer["model"] as JsonObject ?? throw Wrong(file, "'model' is missing");
        if (model["vocab"] is not JsonObject vocabulary || model["merges"] is not JsonArray merges)
            throw Wrong(file, $"the model type '{model["type"]}' cannot be exported; exported is BPE, with 'vocab' and 'merges'");
        bool isSentencePiece = PreTokenizerName.IsSentencePiece(tokenizer);
        string[] mergeTexts = [.. merges.Select(m => Merge(file, m))];
        (string[] tokens, TokenType[] types) = Tokens(file, tokenizer, vocabulary, config.VocabSize, isSentencePiece);
        Dictionary<string, int> ids = [];
        foreach ((string text, int id) in Ids(file, tokenizer, vocabulary))
            ids[text] = id;

        List<GgufKey> keys =
        [
            GgufKey.Of("tokenizer.ggml.model", isSentencePiece ? "llama" : "gpt2"),
            GgufKey.Of("tokenizer.ggml.pre", isSentencePiece ? "default" : PreTokenizerName.Of(tokenizer) ?? throw Wrong(file, "its pre-tokenizer is none that llama.cpp knows, so the file would split text differently; known are those of Llama 3, Qwen 2, SmolLM, GPT-2, GPT-4o, Tekken and DBRX")),
            GgufKey.Of("tokenizer.ggml.tokens", tokens),
            GgufKey.Of("tokenizer.ggml.token_type", Array.ConvertAll(types, t => (int)t)),
            isSentencePiece ? GgufKey.Of("tokenizer.ggml.scores", Scores(tokens, types, mergeTexts)) : GgufKey.Of("tokenizer.ggml.merges", mergeTexts),
        ];
        AddId(keys, "bos", ids, settings.BosToken, IdOf(config, "bos_token_id", config.BosTokenId));
        AddId(keys, "eos", ids, settings.EosToken, IdOf(config, "eos_token_id", config.EosTokenIds.Count > 0 ? config.EosTokenIds[0] : null));
        AddId(keys, "unknown", ids, settings.UnkToken ?? (string?)model["unk_token"], null);
        AddId(keys, "padding", ids, settings.PadToken, IdOf(config, "pad_token_id", config.PadTokenId));
        (bool addsBos, bool addsEos) = AddedByPostProcessor(tokenizer["post_processor"]);
        keys.Add(GgufKey.Of("tokenizer.ggml.add_bos_token", addsBos));
        keys.Add(GgufKey.Of("tokenizer.ggml.add_eos_token", addsEos));
        if (isSentencePiece)
            keys.Add(GgufKey.Of("tokenizer.ggml.add_space_prefix", PreTokenizerName.AddsSpacePrefix(tokenizer)));
        if (PreTokenizerName.Parts(tokenizer["normalizer"], "normalizers").Any(n => (string?)n["type"] == "NFC"))
            keys.Add(GgufKey.Of("tokenizer.ggml.normalizer.nfc", true));
        if (settings.ChatTemplate is string template)
            keys.Add(GgufKey.Of("tokenizer.chat_template", template));
        return keys;
    }

    /// <summary>Whether the file tells llama.cpp to put the BOS token before every text.</summary>
    public static bool AddsBos(string directory)
    {
        string file = Path.Combine(directory, FileName);
        return File.Exists(file) && AddedByPostProcessor(JsonFile.ReadObject(file, "LB0706", "a GGUF file carries its tokenizer")["post_processor"]).Bos;
    }

    /// <summary>Special tokens that take the white space after them, and the four that llama.cpp then looks up by name.</summary>
    public static bool IsPhi3Vocabulary(string directory)
    {
        JsonObject tokenizer = JsonFile.ReadObject(Path.Combine(directory, FileName), "LB0706", "a GGUF file carries its tokenizer");
        List<JsonObject> added = [.. Added(tokenizer)];
        HashSet<string?> names = [.. added.Select(t => (string?)t["content"])];
        return added.Any(t => (bool?)t["special"] == true && (bool?)t["rstrip"] == true) && names.IsSupersetOf(["<unk>", "<s>", "</s>", "<|endoftext|>"]);
    }

    /// <summary>By id; ids without a token up to the model's vocabulary become <c>[PADn]</c>.</summary>
    private static (string[] Tokens, TokenType[] Types) Tokens(string file, JsonObject tokenizer, JsonObject vocabulary, int size, bool isSentencePiece)
    {
        string[] tokens = new string[size];
        TokenType[] types = new TokenType[size];
        int largest = Ids(file, tokenizer, vocabulary).Select(t => t.Id).DefaultIfEmpty(-1).Max();
        if (largest >= size)
            throw Wrong(file, $"the tokenizer has the id {largest} but the model's vocab_size is {size}: they do not belong together");
        foreach ((string text, JsonNode? id) in vocabulary)
        {
            tokens[(int)id!] = text;
            types[(int)id!] = isSentencePiece && text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>' ? TokenType.Byte : TokenType.Normal;
        }

        foreach (JsonObject added in Added(tokenizer))
        {
            int id = (int)added["id"]!;
            string content = (string)added["content"]!;
            bool isSpecial = (bool?)added["special"] ?? false;
            types[id] = isSpecial ? TokenType.Control : TokenType.UserDefined;
            tokens[id] = isSpecial ? content : content.Replace('\u2581', ' '); // llama.cpp matches user-defined tokens in the text itself
        }

        for (int id = 0; id < size; id++)
        {
            if (tokens[id] is null)
            {
                tokens[id] = $"[PAD{id}]";
                types[id] = TokenType.Unused;
            }
        }

        return (tokens, types);
    }

    /// <summary>A piece that an earlier merge makes is preferred: −(rank of the first merge that gives it).</summary>
    private static float[] Scores(string[] tokens, TokenType[] types, string[] merges)
    {
        Dictionary<string, int> rankOfPiece = new(StringComparer.Ordinal);
        for (int rank = 0; rank < merges.Length; rank++)
            rankOfPiece.TryAdd(merges[rank].Replace(" ", "", StringComparison.Ordinal), rank);
        return [.. tokens.Select((token, id) => types[id] switch
        {
            TokenType.Byte => 0f,
            TokenType.Normal => rankOfPiece.TryGetValue(token, out int rank) ? -rank : -merges.Length,
            _ => -1000f,
        })];
    }

    /// <summary>Which ends of a text the post-processor's template marks with special tokens.</summary>
    private static (bool Bos, bool Eos) AddedByPostProcessor(JsonNode? postProcessor)
    {
        foreach (JsonObject processor in PreTokenizerName.Parts(postProcessor, "processors"))
        {
            if ((string?)processor["type"] != "TemplateProcessing" || processor["single"] is not JsonArray single)
                continue;
            int sequence = single.ToList().FindIndex(p => p is JsonObject o && o.ContainsKey("Sequence"));
            return (sequence > 0, sequence >= 0 && sequence < single.Count - 1);
        }

        return (false, false);
    }

    private static IEnumerable<(string Text, int Id)> Ids(string file, JsonObject tokenizer, JsonObject vocabulary)
    {
        foreach ((string text, JsonNode? id) in vocabulary)
            yield return (text, id is JsonValue v && v.TryGetValue(out int number) && number >= 0 ? number : throw Wrong(file, $"the id of '{text}' is {id?.ToJsonString() ?? "null"}"));
        foreach (JsonObject added in Added(tokenizer))
        {
            if (added["id"] is not JsonValue v || !v.TryGetValue(out int id) || id < 0 || added["content"] is not JsonValue c || !c.TryGetValue(out string? content))
                throw Wrong(file, $"added token {added.ToJsonString()} needs an id and a content");
            yield return (content, id);
        }
    }

    private static IEnumerable<JsonObject> Added(JsonObject tokenizer) => (tokenizer["added_tokens"] as JsonArray ?? []).OfType<JsonObject>();

    /// <summary>"left right" in old files, a pair in newer ones.</summary>
    private static string Merge(string file, JsonNode? merge) => merge switch
    {
        JsonValue value when value.TryGetValue(out string? text) => text,
        JsonArray { Count: 2 } pair => $"{pair[0]} {pair[1]}",
        _ => throw Wrong(file, $"the merge {merge?.ToJsonString() ?? "null"} is neither \"left right\" nor a pair"),
    };

    private static void AddId(List<GgufKey> keys, string kind, Dictionary<string, int> ids, string? token, int? fallback)
    {
        int? id = token is not null && ids.TryGetValue(token, out int found) ? found : fallback;
        if (id is int value)
            keys.Add(GgufKey.Of($"tokenizer.ggml.{kind}_token_id", (uint)value));
    }

    /// <summary>Only where the file says so: a default of the model type may be another tokenizer's id.</summary>
    private static int? IdOf(ModelConfig config, string key, int? value) => config.Raw.ContainsKey(key) || config.Raw["text_config"] is JsonObject text && text.ContainsKey(key) ? value : null;

    private static DiagnosticException Wrong(string file, string message) => new("LB0706", message, file);
}
