// Refuses a config.json that says something about the mathematics which the decoder would not do.
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Models;

/// <summary>
/// A key is understood (the family reads it), neutral (another family's, with the value that changes nothing), harmless (bookkeeping, dropout, the choice of a kernel), or
/// unknown. Unknown keys whose names speak of mathematics are errors unless their value switches them off; public configs carry too many other remarks to refuse them all.
/// </summary>
internal static partial class ConfigKeyCheck
{
    /// <summary>Read for every family.</summary>
    private static readonly HashSet<string> Common =
    [
        "architectures", "bos_token_id", "dtype", "eos_token_id", "head_dim", "hidden_act", "hidden_size", "initializer_range", "intermediate_size", "max_position_embeddings",
        "model_type", "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "pad_token_id", "rms_norm_eps", "rope_parameters", "rope_scaling", "rope_theta",
        "tie_word_embeddings", "torch_dtype", "vocab_size",
    ];

    /// <summary>Keys with a meaning in some model, and the value under which they have none here. A family reads its <see cref="OwnKeys"/>; for the others this decides.</summary>
    private static readonly Dictionary<string, string> NeutralValues = new(StringComparer.Ordinal)
    {
        ["alibi"] = "false",
        ["attention_bias"] = "false",
        ["attention_multiplier"] = "null",
        ["attention_out_bias"] = "false",
        ["attn_logit_softcapping"] = "null",
        ["bias"] = "false",
        ["clip_qkv"] = "null",
        ["embedding_multiplier"] = "1",
        ["final_logit_softcapping"] = "null",
        ["full_attn_mod"] = "1", // Phi-4-mini: every layer attends fully
        ["hidden_activation"] = "null",
        ["interpolate_factor"] = "1", // Phi-4-mini
        ["layer_types"] = "full_attention only",
        ["logits_scaling"] = "1",
        ["mlp_bias"] = "false",
        ["no_rope_layer_interval"] = "null",
        ["no_rope_layers"] = "null",
        ["partial_rotary_factor"] = "1",
        ["query_pre_attn_scalar"] = "null",
        ["quantization_config"] = "null or bitsandbytes",
        ["residual_multiplier"] = "1",
        ["rope_interleaved"] = "false", // SmolLM2
        ["rope_local_base_freq"] = "null",
        ["sliding_window"] = "null",
        ["sliding_window_pattern"] = "null",
        ["_sliding_window_pattern"] = "null",
        ["use_bidirectional_attention"] = "false",
        ["use_mrope"] = "false", // Qwen2.5
        ["use_sliding_window"] = "false",
    };

    /// <summary>Known to change nothing in a forward pass, although the name may sound so.</summary>
    private static readonly HashSet<string> Harmless =
    [
        "attn_implementation", "chunk_size_feed_forward", "max_window_layers", "num_logits_to_keep", "original_max_position_embeddings", "output_attentions", "output_hidden_states",
        "pretraining_tp", "text_config", "use_cache", "use_flash_attn", "use_flash_attention_2",
    ];

    private static readonly HashSet<string> RopeKeys =
    [
        "attention_factor", "beta_fast", "beta_slow", "factor", "full_attention", "high_freq_factor", "long_factor", "low_freq_factor",
        "original_max_position_embeddings", "partial_rotary_factor", "rope_theta", "rope_type", "short_factor", "sliding_attention", "type",
    ];

    private static readonly string[] MathematicalStems =
    [
        "alibi", "attention", "attn", "bias", "bidirectional", "cap", "clip", "expert", "freq", "head", "interleave", "kv", "layer", "lora", "mask", "mixture", "moe", "mult", "mup",
        "norm", "position", "quant", "residual", "rope", "rotary", "router", "scal", "sink", "softcap", "sparse", "temperature", "theta", "window", "yarn",
    ];

    /// <exception cref="DiagnosticException">LB0503 a rope key, LB0504 a key whose effect is not built for this family, LB0507 an unknown key that sounds like mathematics; all of a file together.</exception>
    public static void Check(ModelConfig config)
    {
        DiagnosticBag findings = new();
        JsonObject text = DecoderFamilies.Text(config);
        HashSet<string> own = OwnKeys(config.FileModelType);
        foreach ((string key, JsonNode? value) in text)
            CheckKey(key, value, own, config, findings);
        // Around a multimodal model's text stand the pictures' keys, which no text passes through; what is said about storage concerns both.
        if (text != config.Raw && !IsNeutral("quantization_config", config.Raw["quantization_config"]))
            CheckKey("quantization_config", config.Raw["quantization_config"], own, config, findings);
        foreach (string key in (string[])["rope_scaling", "rope_parameters"])
        {
            if (text[key] is JsonObject rope)
                CheckRope(rope, key, config, findings);
        }

        findings.ThrowIfErrors();
    }

    /// <summary>What transformers' configuration class of a model type has beside <see cref="Common"/> and what its model reads.</summary>
    private static HashSet<string> OwnKeys(string modelType) => modelType switch
    {
        "aquila" or "xverse" => [],
        "internlm" => ["bias"],
        "llama" => ["attention_bias", "mlp_bias"],
        "seed_oss" => ["attention_bias", "attention_out_bias", "mlp_bias"],
        "mistral" => ["sliding_window"],
        "ministral" => ["sliding_window", "layer_types"],
        "qwen2" => ["use_sliding_window", "sliding_window", "layer_types"],
        "qwen3" => ["use_sliding_window", "sliding_window", "layer_types", "attention_bias"],
        "smollm3" => ["use_sliding_window", "sliding_window", "layer_types", "attention_bias", "mlp_bias", "no_rope_layers", "no_rope_layer_interval"],
        "phi3" => ["sliding_window", "partial_rotary_factor"],
        "olmo2" => ["attention_bias"],
        "granite" => ["attention_bias", "mlp_bias", "embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling"],
        "gemma" => ["attention_bias", "hidden_activation"],
        "gemma2" => ["attention_bias", "hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping", "sliding_window", "layer_types"],
        "gemma3_text" =>
        [
            "attention_bias", "hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping", "sliding_window", "layer_types",
            "sliding_window_pattern", "_sliding_window_pattern", "rope_local_base_freq",
        ],
        _ => throw new InvalidOperationException($"the keys of {modelType} are not written down"), // ModelFamilies lists what there is
    };

    private static void CheckKey(string key, JsonNode? value, HashSet<string> own, ModelConfig config, DiagnosticBag findings)
    {
        if (Common.Contains(key) || own.Contains(key) || Harmless.Contains(key))
            return;
        if (NeutralValues.TryGetValue(key, out string? neutral))
        {
            // Qwen's switch stands before its window: what is written beside a switch that is off is not in use.
            bool isSwitchedOff = key == "sliding_window" && value is not null && IsFalse(DecoderFamilies.Text(config)["use_sliding_window"]);
            if (!IsNeutral(key, value) && !isSwitchedOff)
                findings.Report(Diagnostic.Error("LB0504", $"config.json says {key} = {Short(value)}, which changes what some models compute and is not built for {config.FileModelType}; only {neutral} is. If it is a remark that the model was trained without, remove the key", config.FilePath));
            return;
        }

        if (SoundsLikeMathematics(key) && !IsOff(key, value))
            findings.Report(Diagnostic.Error("LB0507", $"config.json has the key {key} = {Short(value)}, which is not known and, by its name, may change what a {config.FileModelType} model computes. If it is a remark, remove the key; otherwise the model cannot be used yet", config.FilePath));
    }

    private static bool IsNeutral(string key, JsonNode? value) => value is null || IsFalse(value) || key switch
    {
        // What it says of bits and blocks stands beside each weight, too, where the loader reads and checks it.
        "quantization_config" => value is JsonObject quantization && quantization["quant_method"] is JsonValue method && method.TryGetValue(out string? named) && named == "bitsandbytes",
        "layer_types" => value is JsonArray kinds && kinds.All(k => k is JsonValue kind && kind.TryGetValue(out string? name) && name == "full_attention"),
        _ => value is JsonValue number && number.GetValueKind() == JsonValueKind.Number && number.TryGetValue(out double one) && one == 1 && NeutralValues[key] == "1",
    };

    /// <summary>How a feature that is off is written. A rotation or a position that is off is itself a change: every decoder here has them.</summary>
    private static bool IsOff(string key, JsonNode? value) => value switch
    {
        null or JsonObject { Count: 0 } or JsonArray { Count: 0 } => true,
        JsonValue v when v.GetValueKind() == JsonValueKind.False => !Regex.IsMatch(key, "rope|rotary|position", RegexOptions.IgnoreCase),
        JsonValue v when v.GetValueKind() == JsonValueKind.String => v.GetValue<string>().Length == 0,
        JsonValue v when v.GetValueKind() == JsonValueKind.Number => v.TryGetValue(out double number) && number == 0,
        _ => false,
    };

    private static bool IsFalse(JsonNode? value) => value is JsonValue v && v.GetValueKind() == JsonValueKind.False;

    /// <summary>By the words of the name; what begins with an underscore is written by libraries about themselves, and dropout is the recipe's.</summary>
    private static bool SoundsLikeMathematics(string key) =>
        !key.StartsWith('_')
        && !key.StartsWith("unsloth", StringComparison.OrdinalIgnoreCase)
        && !key.StartsWith("use_fused", StringComparison.OrdinalIgnoreCase)
        && !key.Contains("drop", StringComparison.OrdinalIgnoreCase)
        && Words().Matches(key).Select(m => m.Value.ToLowerInvariant()).Any(w =>
            w is "act" or "activation" or "factor" || Array.Exists(MathematicalStems, stem => w.StartsWith(stem, StringComparison.Ordinal)));

    private static void CheckRope(JsonObject rope, string path, ModelConfig config, DiagnosticBag findings)
    {
        foreach ((string key, JsonNode? value) in rope)
        {
            if (!RopeKeys.Contains(key) && value is not null)
                findings.Report(Diagnostic.Error("LB0503", $"config.json has the key {path}.{key} = {Short(value)}, which is not known and may change what the model computes; known are {string.Join(", ", RopeKeys.Order(StringComparer.Ordinal))}", config.FilePath));
            if (value is JsonObject nested)
                CheckRope(nested, $"{path}.{key}", config, findings);
        }
    }

    private static string Short(JsonNode? value)
    {
        string text = value?.ToJsonString() ?? "null";
        return text.Length > 60 ? text[..60] + "…" : text;
    }

    /// <summary>attn_logit_softcapping, ropeTheta and MoE in their words.</summary>
    [GeneratedRegex("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")]
    private static partial Regex Words();
}
