// adapter_config.json between JSON and record, in the form that PEFT 0.20 writes (all keys, sorted, two spaces).
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

internal static class PeftConfigJson
{
    private const string Code = "LB0421";

    /// <summary>Keys that PEFT 0.20 writes for every LoRA adapter and that have no property of their own.</summary>
    private const string DefaultExtra = """
        {
          "alora_invocation_tokens": null, "arrow_config": null, "auto_mapping": null, "corda_config": null, "eva_config": null,
          "fan_in_fan_out": false, "init_lora_weights": true, "kasa_config": null, "layer_replication": null, "layers_pattern": null,
          "loftq_config": {}, "lora_bias": false, "lora_ga_config": null, "megatron_config": null, "megatron_core": "megatron.core",
          "monteclora_config": null, "peft_type": "LORA", "peft_version": "0.20.0", "qalora_group_size": 16, "revision": null,
          "target_parameters": null, "trainable_token_indices": null, "use_bdlora": null, "use_qalora": false, "velora_config": null
        }
        """;

    /// <summary>Keys that other versions and programs write and that change nothing.</summary>
    private static readonly string[] Remarks = ["runtime_config", "unsloth_fixed", "unsloth_version", "modules_to_tie", "use_cache", "_name_or_path"];

    public static PeftAdapterConfig Parse(JsonObject root, string file)
    {
        ConfigReader reader = new(root, file, Code);
        RefuseUnsupported(reader, file);
        (IReadOnlyList<string> targets, string? targetPattern) = NamesOrPattern(reader, "target_modules");
        (IReadOnlyList<string> excluded, string? excludePattern) = NamesOrPattern(reader, "exclude_modules");
        return new PeftAdapterConfig
        {
            BaseModelNameOrPath = reader.OptionalString("base_model_name_or_path"),
            R = reader.Int("r", 8),
            LoraAlpha = reader.Double("lora_alpha", 8),
            LoraDropout = reader.Double("lora_dropout", 0, 0),
            TargetModules = targets,
            TargetModulesPattern = targetPattern,
            ExcludeModules = excluded,
            ExcludeModulesPattern = excludePattern,
            ModulesToSave = reader.Strings("modules_to_save"),
            LayersToTransform = LayersToTransform(reader),
            RankPattern = Pattern(reader, "rank_pattern", (nested, key) => nested.Int(key, null)),
            AlphaPattern = Pattern(reader, "alpha_pattern", (nested, key) => nested.Double(key, null)),
            UseRslora = reader.Bool("use_rslora", false),
            UseDora = reader.Bool("use_dora", false),
            EnsureWeightTying = reader.Bool("ensure_weight_tying", false),
            TrainableTokenIndices = TokenIndices(reader),
            Bias = reader.OptionalString("bias") ?? "none",
            TaskType = reader.OptionalString("task_type") ?? "CAUSAL_LM",
            InferenceMode = reader.Bool("inference_mode", true),
            Extra = ExtraOf(root),
        };
    }

    public static string Text(PeftAdapterConfig config)
    {
        SortedDictionary<string, JsonNode?> sorted = new(StringComparer.Ordinal);
        foreach ((string key, JsonNode? value) in JsonNode.Parse(DefaultExtra)!.AsObject())
            sorted[key] = value?.DeepClone();
        foreach ((string key, JsonNode? value) in config.Extra)
            sorted[key] = value?.DeepClone();
        foreach ((string key, JsonNode? value) in OwnKeys(config))
            sorted[key] = value;
        JsonObject root = [];
        foreach ((string key, JsonNode? value) in sorted)
            root.Add(key, value);
        return root.ToJsonString(JsonFile.Indented);
    }

    private static Dictionary<string, JsonNode?> OwnKeys(PeftAdapterConfig config) => new()
    {
        ["base_model_name_or_path"] = config.BaseModelNameOrPath,
        ["r"] = config.R,
        ["lora_alpha"] = Number(config.LoraAlpha, isFloat: false),
        ["lora_dropout"] = Number(config.LoraDropout, isFloat: true),
        ["target_modules"] = config.TargetModulesPattern is string pattern ? pattern : Names(config.TargetModules),
        ["exclude_modules"] = config.ExcludeModulesPattern is string excluded ? excluded : NullWhenEmpty(config.ExcludeModules),
        ["modules_to_save"] = NullWhenEmpty(config.ModulesToSave),
        ["layers_to_transform"] = config.LayersToTransform is null ? null : new JsonArray([.. config.LayersToTransform.Select(i => (JsonNode)i)]),
        ["rank_pattern"] = new JsonObject(config.RankPattern.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))),
        ["alpha_pattern"] = new JsonObject(config.AlphaPattern.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)Number(p.Value, isFloat: false)))),
        ["use_rslora"] = config.UseRslora,
        ["use_dora"] = config.UseDora,
        ["ensure_weight_tying"] = config.EnsureWeightTying,
        ["bias"] = config.Bias,
        ["task_type"] = config.TaskType,
        ["inference_mode"] = config.InferenceMode,
    };

    /// <summary>Everything under which W + s·BA would not be the model that was trained.</summary>
    private static void RefuseUnsupported(ConfigReader reader, string file)
    {
        DiagnosticException Unsupported(string key, string reason) =>
            new("LB0422", $"'{key}' is {reader.Root[key]?.ToJsonString() ?? "null"}, which is not supported: {reason}", file);

        if (reader.OptionalString("peft_type") is not "LORA")
            throw Unsupported("peft_type", "only LORA adapters (with or without DoRA) are read");
        if (reader.Bool("fan_in_fan_out", false))
            throw Unsupported("fan_in_fan_out", "it means transposed Conv1D weights as in GPT-2, which no supported model family has");
        if (reader.OptionalString("bias") is not (null or "none" or "all" or "lora_only"))
            throw Unsupported("bias", "allowed are none, all, lora_only");
        if (reader.Root["init_lora_weights"] is JsonValue init && init.TryGetValue(out string? method)
            && (method.StartsWith("pissa", StringComparison.Ordinal) || method is "olora" or "corda" or "loftq" or "lora_ga"))
            throw Unsupported("init_lora_weights", "this initialisation changes the base weights too, so the adapter as it is stored does not fit the unchanged base. Save it in PEFT with path_initial_model_for_weight_conversion: the converted form (init_lora_weights: true, twice the rank) is read");
        foreach ((string key, string reason) in new[]
        {
            ("lora_bias", "a bias inside the low-rank branch"),
            ("layer_replication", "layers that stand in the model several times"),
            ("target_parameters", "adapters on bare parameters (mixture of experts)"),
            ("alora_invocation_tokens", "an adapter that acts only after certain tokens"),
            ("arrow_config", "routing between adapters"),
            ("use_qalora", "pooled inputs"),
            ("use_bdlora", "block-diagonal factors"),
            ("kasa_config", "a changed update formula"),
            ("monteclora_config", "a changed update formula"),
            ("velora_config", "a changed update formula"),
        })
        {
            if (IsSet(reader.Root[key]))
                throw Unsupported(key, reason);
        }

        // A feature of a later PEFT would be left out without a word.
        JsonObject known = JsonNode.Parse(DefaultExtra)!.AsObject();
        HashSet<string> own = [.. OwnKeys(new PeftAdapterConfig()).Keys];
        foreach ((string key, JsonNode? value) in reader.Root)
        {
            if (!known.ContainsKey(key) && !own.Contains(key) && !Remarks.Contains(key) && IsSet(value))
                throw Unsupported(key, "the key is not known; it may be a feature of a later PEFT that changes the update");
        }
    }

    /// <summary>A list is the input embedding's; an object names modules.</summary>
    private static Dictionary<string, IReadOnlyList<int>> TokenIndices(ConfigReader reader)
    {
        const string Key = "trainable_token_indices";
        return reader.Root[Key] switch
        {
            null => [],
            JsonObject => reader.Nested(Key)!.Root.Select(p => p.Key).ToDictionary(name => name, reader.Nested(Key)!.Ids),
            _ => new() { ["embed_tokens"] = reader.Ids(Key) },
        };
    }

    /// <summary>False for null, false, and empty objects and lists: how PEFT writes a feature that is off.</summary>
    private static bool IsSet(JsonNode? node) => node switch
    {
        null or JsonObject { Count: 0 } or JsonArray { Count: 0 } => false,
        JsonValue value when value.TryGetValue(out bool flag) => flag,
        _ => true,
    };

    private static (IReadOnlyList<string> Names, string? Pattern) NamesOrPattern(ConfigReader reader, string key) =>
        reader.Root[key] is JsonValue
            ? ([], reader.OptionalString(key))
            : (reader.Strings(key).Order(StringComparer.Ordinal).ToList(), null);

    private static List<int>? LayersToTransform(ConfigReader reader) => reader.Root["layers_to_transform"] switch
    {
        null => null,
        _ => [.. reader.Ids("layers_to_transform")],
    };

    private static OrderedDictionary<string, T> Pattern<T>(ConfigReader reader, string key, Func<ConfigReader, string, T> read)
    {
        OrderedDictionary<string, T> patterns = [];
        if (reader.Nested(key) is ConfigReader nested)
        {
            foreach (string pattern in nested.Root.Select(p => p.Key))
                patterns.Add(pattern, read(nested, pattern));
        }

        return patterns;
    }

    private static JsonObject ExtraOf(JsonObject root)
    {
        HashSet<string> own = [.. OwnKeys(new PeftAdapterConfig()).Keys];
        return new JsonObject(root.Where(p => !own.Contains(p.Key)).Select(p => KeyValuePair.Create(p.Key, p.Value?.DeepClone())));
    }

    private static JsonArray Names(IReadOnlyList<string> names) => new([.. names.Order(StringComparer.Ordinal).Select(n => (JsonNode)n)]);

    private static JsonArray? NullWhenEmpty(IReadOnlyList<string> names) => names.Count == 0 ? null : new JsonArray([.. names.Select(n => (JsonNode)n)]);

    /// <summary>As Python prints it: whole numbers as 8 where the type is int, 0.0 where it is float.</summary>
    private static JsonNode Number(double value, bool isFloat)
    {
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        bool isWhole = text.All(c => char.IsAsciiDigit(c) || c == '-');
        return JsonNode.Parse(isFloat && isWhole ? text + ".0" : text)!;
    }
}
