// A directory with a SentencePiece model and no tokenizer.json: writes the tokenizer.json that belongs to it.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tokenizers.SentencePiece;

/// <summary>
/// As transformers converts, with one difference: SentencePiece's prefix goes before every text between special tokens, as in the tokenizer.json files that Llama, Mistral
/// and Phi-3 publish and as llama.cpp has it, also where tokenizer_config.json says <c>legacy: false</c>.
/// </summary>
internal sealed class SentencePieceConverter
{
    private const string Mark = "\u2581";

    private readonly SentencePieceModel model;
    private readonly string file;
    private readonly string tokenizerClass;
    private readonly JsonView? config;
    private readonly List<(string Text, double Score)> vocabulary;

    private SentencePieceConverter(SentencePieceModel model, string file, JsonView? config, TokenizerConfig named)
    {
        this.model = model;
        this.file = file;
        this.config = config;
        string name = config?.OptionalString("tokenizer_class") ?? "";
        tokenizerClass = name.EndsWith("Fast", StringComparison.Ordinal) ? name[..^4] : name;
        vocabulary = [.. model.Pieces.Select(p => (p.Text, (double)p.Score))];
        HashSet<string> known = [.. vocabulary.Select(v => v.Text)];
        // A configuration may give a reserved piece its name.
        foreach (AddedToken token in named.AddedTokensDecoder)
        {
            if (token.Id < vocabulary.Count && known.Add(token.Content))
                vocabulary[token.Id] = (token.Content, vocabulary[token.Id].Score);
        }
    }

    private bool IsXlmRoberta => tokenizerClass is "XLMRobertaTokenizer" or "XLMRoberta" or "CamembertTokenizer";

    /// <summary>The files' names, in the order in which they are looked for.</summary>
    public static IReadOnlyList<string> FileNames { get; } = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model"];

    /// <summary>The tokenizer.json of a model, and the configuration with the special tokens that only the model names.</summary>
    /// <exception cref="DiagnosticException">LB0201, LB0204, LB0211: the model is damaged or of a kind that is not supported.</exception>
    public static (JsonSource Source, TokenizerConfig Config) Convert(string file, TokenizerConfig config)
    {
        SentencePieceModel model = SentencePieceModel.Read(file);
        string configFile = Path.Combine(Path.GetDirectoryName(file)!, "tokenizer_config.json");
        SentencePieceConverter converter = new(model, file, File.Exists(configFile) ? JsonSource.Read(configFile).Root : null, config);
        TokenizerConfig completed = converter.WithRoles(config);
        return (JsonSource.Parse(System.Text.Encoding.UTF8.GetBytes(converter.Build(completed).ToJsonString()), file), completed);
    }

    private DiagnosticException Unsupported(string what) => new("LB0204", $"{what} is not supported; convert the tokenizer to a tokenizer.json", file);

    /// <summary>Special tokens that no file names are those of the model.</summary>
    private TokenizerConfig WithRoles(TokenizerConfig named)
    {
        Dictionary<string, NamedToken> roles = new(named.Roles, StringComparer.Ordinal);
        foreach ((string role, int id) in ((string, int)[])[("bos_token", model.BosId), ("eos_token", model.EosId), ("unk_token", model.UnknownId), ("pad_token", model.PadId)])
        {
            if (config is { } view && view.Element.TryGetProperty(role, out _))
                continue;
            if (id >= 0 && id < model.Pieces.Count && model.Pieces[id].Type is PieceType.Control or PieceType.Unknown)
                roles.TryAdd(role, new NamedToken(vocabulary[id].Text, false, false, false, false));
        }

        return named with { Roles = roles };
    }

    private JsonObject Build(TokenizerConfig named)
    {
        if (model.TreatsSpaceAsSuffix || !model.EscapesSpaces)
            throw Unsupported("a SentencePiece model that marks spaces in another way (treat_whitespace_as_suffix, escape_whitespaces)");
        JsonObject root = model.Type switch
        {
            SentencePieceType.Bpe => BuildBpe(),
            SentencePieceType.Unigram => BuildUnigram(),
            _ => throw Unsupported($"a SentencePiece model of the type {model.Type}"),
        };
        JsonArray added = [];
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            if (model.Pieces[id].Type is PieceType.Control or PieceType.UserDefined && !(IsXlmRoberta && id < 3))
                added.Add(new JsonObject { ["id"] = id, ["content"] = vocabulary[id].Text, ["special"] = model.Pieces[id].Type == PieceType.Control, ["normalized"] = false });
        }

        if (tokenizerClass == "T5Tokenizer")
        {
            for (int i = ExtraIds - 1; i >= 0; i--)
                added.Add(new JsonObject { ["id"] = 0, ["content"] = $"<extra_id_{i}>", ["special"] = true, ["normalized"] = false });
        }

        root["added_tokens"] = added;
        root["post_processor"] = PostProcessor(named);
        return root;
    }

    private int ExtraIds => config is { } view && view.TryGet("extra_ids", out JsonView count) ? count.AsInt() : 100;

    private bool AddsPrefix => model.AddsDummyPrefix && (config is not { } view || view.OptionalBool("add_prefix_space", true));

    private JsonObject BuildBpe()
    {
        List<JsonObject> normalizers = CharsMap();
        if (AddsPrefix)
            normalizers.Add(new JsonObject { ["type"] = "Prepend", ["prepend"] = Mark });
        normalizers.Add(ReplaceText(" ", Mark));
        List<JsonObject> decoders = [ReplaceText(Mark, " "), OfType("ByteFallback"), OfType("Fuse")];
        if (AddsPrefix)
            decoders.Add(new JsonObject { ["type"] = "Strip", ["content"] = " ", ["start"] = 1, ["stop"] = 0 });
        JsonObject ids = [];
        for (int id = 0; id < vocabulary.Count; id++)
            ids[vocabulary[id].Text] = id;
        return new JsonObject
        {
            ["normalizer"] = Sequence("normalizers", normalizers),
            ["decoder"] = Sequence("decoders", decoders),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = model.TextOf(model.UnknownId),
                ["fuse_unk"] = true,
                ["byte_fallback"] = model.HasByteFallback,
                ["vocab"] = ids,
                ["merges"] = Merges(),
            },
        };
    }

    /// <summary>Each way to make a piece of two others is a merge; the pieces' order is the merges'.</summary>
    private JsonArray Merges()
    {
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        for (int id = 0; id < vocabulary.Count; id++)
            ids[vocabulary[id].Text] = id;
        JsonArray merges = [];
        foreach ((string piece, int _) in ids.OrderBy(p => p.Value))
        {
            for (int cut = 1; cut < piece.Length; cut++)
            {
                if (!char.IsLowSurrogate(piece[cut]) && ids.ContainsKey(piece[..cut]) && ids.ContainsKey(piece[cut..]))
                    merges.Add(new JsonArray(piece[..cut], piece[cut..]));
            }
        }

        return merges;
    }

    private JsonObject BuildUnigram()
    {
        List<(string Text, double Score)> pieces = vocabulary;
        int unknown = model.UnknownId;
        if (IsXlmRoberta)
        {
            // fairseq's order: four special tokens before the pieces, and the mask behind them.
            pieces = [("<s>", 0), ("<pad>", 0), ("</s>", 0), ("<unk>", 0), .. vocabulary[3..], ("<mask>", 0)];
            unknown = 3;
        }
        else if (tokenizerClass == "T5Tokenizer")
            pieces = [.. vocabulary, .. Enumerable.Range(0, ExtraIds).Select(i => ($"<extra_id_{ExtraIds - 1 - i}>", 0.0))];
        List<JsonObject> normalizers = CharsMap();
        bool splitsAtSpaces = model.RemovesExtraSpaces;
        List<JsonObject> preTokenizers = splitsAtSpaces ? [OfType("WhitespaceSplit")] : [];
        JsonObject metaspace = new() { ["type"] = "Metaspace", ["replacement"] = Mark, ["prepend_scheme"] = AddsPrefix ? "always" : "never", ["split"] = true };
        preTokenizers.Add(metaspace);
        JsonObject decoder = metaspace.DeepClone().AsObject();
        return new JsonObject
        {
            ["normalizer"] = normalizers.Count == 0 ? null : Sequence("normalizers", normalizers),
            ["pre_tokenizer"] = Sequence("pretokenizers", preTokenizers),
            ["decoder"] = model.HasByteFallback ? Sequence("decoders", [OfType("ByteFallback"), decoder]) : decoder,
            ["model"] = new JsonObject
            {
                ["type"] = "Unigram",
                ["unk_id"] = unknown < 0 ? null : unknown,
                ["byte_fallback"] = model.HasByteFallback,
                ["vocab"] = new JsonArray([.. pieces.Select(p => (JsonNode)new JsonArray(p.Text, p.Score))]),
            },
        };
    }

    /// <summary>add_bos_token and add_eos_token, which Llama's and Gemma's classes take for true and false where the configuration is silent.</summary>
    private JsonObject? PostProcessor(TokenizerConfig named)
    {
        if (IsXlmRoberta)
            return Template([("<s>", 0)], [("</s>", 2)], [("</s>", 2)]);
        if (tokenizerClass == "T5Tokenizer")
            return Template([], [Token("eos_token", named)], []);
        bool isBpe = model.Type == SentencePieceType.Bpe;
        bool addsBos = config?.OptionalBool("add_bos_token", isBpe) ?? isBpe;
        bool addsEos = config?.OptionalBool("add_eos_token", false) ?? false;
        return addsBos || addsEos ? Template(addsBos ? [Token("bos_token", named)] : [], addsEos ? [Token("eos_token", named)] : [], addsBos ? [Token("bos_token", named)] : []) : null;
    }

    private (string Text, int Id) Token(string role, TokenizerConfig named)
    {
        string text = named.Roles.TryGetValue(role, out NamedToken? token) ? token.Content
            : throw new DiagnosticException("LB0205", $"the tokenizer is to add its {role}, but neither tokenizer_config.json nor the model names one", file);
        int id = vocabulary.FindIndex(v => v.Text == text);
        return id >= 0 ? (text, id) : throw new DiagnosticException("LB0205", $"the {role} \"{text}\" is not in the vocabulary of the model", file);
    }

    private static JsonObject Template(List<(string Text, int Id)> before, List<(string Text, int Id)> behind, List<(string Text, int Id)> between)
    {
        JsonObject specials = [];
        foreach ((string text, int id) in before.Concat(behind))
            specials[text] = new JsonObject { ["id"] = text, ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(text) };
        int second = before.Count > 0 && between.SequenceEqual(before) ? 1 : 0;
        JsonObject[] single = [.. Parts(before, 0), Text("A", 0), .. Parts(behind, 0)];
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray([.. single.Select(p => p.DeepClone())]),
            ["pair"] = new JsonArray([.. single, .. Parts(between, second), Text("B", second), .. Parts(behind, second)]),
            ["special_tokens"] = specials,
        };

        static IEnumerable<JsonObject> Parts(List<(string Text, int Id)> tokens, int type) =>
            tokens.Select(t => new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = t.Text, ["type_id"] = type } });

        static JsonObject Text(string id, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = type } };
    }

    private List<JsonObject> CharsMap() => model.PrecompiledCharsMap.Length == 0
        ? []
        : [new JsonObject { ["type"] = "Precompiled", ["precompiled_charsmap"] = System.Convert.ToBase64String(model.PrecompiledCharsMap) }];

    private static JsonObject OfType(string type) => new() { ["type"] = type };

    private static JsonObject ReplaceText(string text, string content) =>
        new() { ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = text }, ["content"] = content };

    private static JsonObject Sequence(string key, List<JsonObject> items) => new() { ["type"] = "Sequence", [key] = new JsonArray([.. items]) };
}
