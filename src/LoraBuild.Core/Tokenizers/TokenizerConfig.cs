// tokenizer_config.json, special_tokens_map.json and chat_template.jinja: the special tokens by role, and the chat template.
using System.Text.Json;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tokenizers;

/// <summary>A special token as the configuration names it.</summary>
internal sealed record NamedToken(string Content, bool Lstrip, bool Rstrip, bool SingleWord, bool Normalized);

/// <param name="Roles">bos_token, eos_token, … in the order of the files.</param>
/// <param name="Additional">Further special tokens without a role.</param>
/// <param name="ChatTemplates">Name to template; a template without a name is <c>default</c>.</param>
internal sealed record TokenizerConfig(
    IReadOnlyDictionary<string, NamedToken> Roles,
    IReadOnlyList<NamedToken> Additional,
    IReadOnlyDictionary<string, string> ChatTemplates,
    IReadOnlyList<AddedToken> AddedTokensDecoder)
{
    /// <summary>Special tokens in a text are plain text unless asked otherwise (<c>split_special_tokens</c>).</summary>
    public bool SplitsSpecialTokens { get; init; }

    /// <summary>Decoding takes out the spaces that English does not have before punctuation (<c>clean_up_tokenization_spaces</c>; false where absent, as in transformers 5).</summary>
    public bool CleansUpSpaces { get; init; }

    /// <summary>Decoding does so for BPE models too, where the setting above is ignored otherwise.</summary>
    public bool CleansUpBpe { get; init; }

    public CutDirection PaddingSide { get; init; } = CutDirection.Right;

    public CutDirection TruncationSide { get; init; } = CutDirection.Right;

    public static readonly string[] RoleNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>Reads what is there; every file may be absent. With <c>added_tokens_decoder</c> in tokenizer_config.json, special_tokens_map.json is not read (transformers 5).</summary>
    /// <exception cref="DiagnosticException">LB0201, LB0202, LB0203: a file is damaged.</exception>
    public static TokenizerConfig Load(string directory)
    {
        Dictionary<string, NamedToken> roles = new(StringComparer.Ordinal);
        List<NamedToken> additional = [];
        SortedDictionary<string, string> templates = new(StringComparer.Ordinal);
        List<AddedToken> decoder = [];
        JsonView? settings = null;
        string configFile = Path.Combine(directory, "tokenizer_config.json");
        if (File.Exists(configFile))
        {
            JsonView root = JsonSource.Read(configFile).Root;
            settings = root;
            ReadRoles(root, roles, additional);
            ReadTemplates(root, templates);
            if (root.TryGet("added_tokens_decoder", out JsonView tokens))
            {
                foreach ((string id, JsonView token) in tokens.Properties())
                    decoder.Add(ReadAddedToken(id, token));
            }
        }

        if (decoder.Count == 0)
            ReadLegacy(directory, roles, additional, decoder);
        string templateFile = Path.Combine(directory, "chat_template.jinja");
        if (File.Exists(templateFile))
            templates["default"] = File.ReadAllText(templateFile);
        string templateDirectory = Path.Combine(directory, "additional_chat_templates");
        if (Directory.Exists(templateDirectory))
        {
            foreach (string file in Directory.EnumerateFiles(templateDirectory, "*.jinja").Order(StringComparer.Ordinal))
                templates[Path.GetFileNameWithoutExtension(file)] = File.ReadAllText(file);
        }

        TokenizerConfig config = new(roles, additional, templates, decoder);
        return settings is { } view ? config.WithSettings(view) : config;
    }

    private TokenizerConfig WithSettings(JsonView root) => this with
    {
        SplitsSpecialTokens = root.OptionalBool("split_special_tokens", false),
        CleansUpSpaces = root.OptionalBool("clean_up_tokenization_spaces", false),
        CleansUpBpe = root.OptionalBool("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", false),
        PaddingSide = ReadSide(root, "padding_side"),
        TruncationSide = ReadSide(root, "truncation_side"),
    };

    private static CutDirection ReadSide(JsonView root, string key) => root.TryGet(key, out JsonView side)
        ? side.AsString() switch
        {
            "left" => CutDirection.Left,
            "right" => CutDirection.Right,
            string other => throw side.Error("LB0203", $"\"{other}\" is not left or right"),
        }
        : CutDirection.Right;

    /// <summary>special_tokens_map.json, whose roles win, and added_tokens.json, whose ids only give the order.</summary>
    private static void ReadLegacy(string directory, Dictionary<string, NamedToken> roles, List<NamedToken> additional, List<AddedToken> decoder)
    {
        string mapFile = Path.Combine(directory, "special_tokens_map.json");
        if (File.Exists(mapFile))
            ReadRoles(JsonSource.Read(mapFile).Root, roles, additional);
        string addedFile = Path.Combine(directory, "added_tokens.json");
        if (!File.Exists(addedFile))
            return;
        foreach ((string token, JsonView id) in JsonSource.Read(addedFile).Root.Properties())
            decoder.Add(new AddedToken(id.AsInt(), token, false, false, false, false, false));
    }

    private static void ReadRoles(JsonView root, Dictionary<string, NamedToken> roles, List<NamedToken> additional)
    {
        foreach ((string name, JsonView value) in root.Properties())
        {
            // A key of the model's own (boi_token …) counts when it is a string; add_bos_token and the like are not tokens.
            bool isRole = RoleNames.Contains(name) ? !value.IsNull : name.EndsWith("_token", StringComparison.Ordinal) && value.Kind == JsonValueKind.String;
            if (isRole)
                roles[name] = ReadToken(value);
        }

        foreach (string name in (string[])["additional_special_tokens", "extra_special_tokens"])
        {
            if (!root.TryGet(name, out JsonView more))
                continue;
            if (more.Kind == JsonValueKind.Array)
                additional.AddRange(more.Items().Select(ReadToken));
            else
            {
                foreach ((string role, JsonView token) in more.Properties())
                    roles[role] = ReadToken(token);
            }
        }
    }

    /// <summary>A token is written as a string or as an AddedToken object.</summary>
    private static NamedToken ReadToken(JsonView value) => value.Kind == JsonValueKind.Object
        ? new NamedToken(value["content"].AsString(), value.OptionalBool("lstrip", false), value.OptionalBool("rstrip", false), value.OptionalBool("single_word", false), value.OptionalBool("normalized", false))
        : new NamedToken(value.AsString(), false, false, false, false);

    private static AddedToken ReadAddedToken(string id, JsonView token) =>
        int.TryParse(id, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int number)
            ? new AddedToken(number, token["content"].AsString(), token.OptionalBool("special", false), token.OptionalBool("lstrip", false), token.OptionalBool("rstrip", false), token.OptionalBool("normalized", false), token.OptionalBool("single_word", false))
            : throw token.Error("LB0203", $"the key \"{id}\" must be a token's id");

    /// <summary>A template is one string, or a list of {"name", "template"}.</summary>
    private static void ReadTemplates(JsonView root, SortedDictionary<string, string> templates)
    {
        if (!root.TryGet("chat_template", out JsonView value))
            return;
        if (value.Kind == JsonValueKind.Array)
        {
            foreach (JsonView item in value.Items())
                templates[item["name"].AsString()] = item["template"].AsString();
        }
        else
            templates["default"] = value.AsString();
    }
}
