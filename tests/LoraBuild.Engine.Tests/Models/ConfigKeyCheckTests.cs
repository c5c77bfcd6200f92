// What transformers writes for each family passes; what would change the mathematics is refused; remarks do not matter.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Tests.Models;

public sealed class ConfigKeyCheckTests
{
    private static readonly JsonObject Defaults = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Root, "families", "default-configs.json")))!.AsObject();

    /// <summary>Names and values that mean something in models that are not these.</summary>
    private static readonly (string Key, string Value)[] Mutations =
    [
        ("num_local_experts", "8"), ("moe_intermediate_size", "128"), ("logit_scale", "0.0625"), ("qk_norm", "true"), ("use_qk_norm", "true"), ("attn_temperature_tuning", "true"),
        ("router_logits_cap", "30"), ("mup_base_width", "256"), ("hidden_clip", "5.0"), ("rotary_pct", "0.5"), ("rope_interleave", "true"), ("use_rope", "false"),
        ("num_kv_shared_layers", "4"), ("attention_chunk_size", "512"), ("scale_depth", "1.4"), ("residual_scale", "0.2"), ("embeddingScale", "12"), ("query_key_mask", "true"),
        ("window_size", "[4, 4]"), ("norm_topk_prob", "true"), ("scoring_act", "\"sigmoid\""), ("attention_sink", "true"), ("position_embedding_type", "\"alibi\""), ("lm_head_bias", "true"),
        ("sparse_pattern", "[1]"), ("kv_lora_rank", "512"),
    ];

    private static readonly (string Key, string Value)[] Remarks =
    [
        ("_name_or_path", "\"a/b\""), ("_attn_implementation_autoset", "true"), ("unsloth_fixed", "true"), ("unsloth_version", "\"2025.3.1\""), ("auto_map", "{\"AutoConfig\": \"x.Y\"}"),
        ("transformers_version", "\"4.48.0\""), ("use_cache", "true"), ("pretraining_tp", "1"), ("attention_dropout", "0.1"), ("resid_pdrop", "0.1"), ("is_llama_config", "true"),
        ("rope_interleaved", "false"), ("use_mrope", "false"), ("full_attn_mod", "1"), ("interpolate_factor", "1"), ("lm_head_bias", "false"), ("mlp_bias", "false"), ("qk_layernorm", "false"),
        ("num_experts", "0"), ("use_bidirectional_attention", "null"), ("quantization_config", "null"), ("transformers.js_config", "{\"dtype\": \"q4\"}"), ("cache_implementation", "\"hybrid\""),
        ("max_window_layers", "28"), ("task_specific_params", "null"), ("torchscript", "false"), ("use_fused_rms_norm", "true"), ("num_logits_to_keep", "1"), ("license", "\"mit\""),
    ];

    public static TheoryData<string> Families() => [.. Defaults.Select(d => d.Key)];

    [Theory]
    [MemberData(nameof(Families))]
    public void The_configuration_that_transformers_writes_is_understood(string modelType)
    {
        JsonObject config = Default(modelType);
        Assert.Equal(RealLayers(modelType), DecoderFamilies.Describe(Parse(config)).Layers.Count);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Keys_that_would_change_the_mathematics_are_refused(string modelType)
    {
        foreach ((string key, string value) in Mutations)
        {
            JsonObject config = Default(modelType);
            Text(config)[key] = JsonNode.Parse(value);
            DiagnosticException error = Assert.Throws<DiagnosticException>(() => DecoderFamilies.Describe(Parse(config)));
            Assert.True(error.Diagnostics[0].Code == "LB0507", $"{key}: {error.Message}");
            Assert.Contains(key, error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Remarks_change_nothing(string modelType)
    {
        JsonObject config = Default(modelType);
        string before = DecoderFamilies.Describe(Parse(config)).ToString();
        foreach ((string key, string value) in Remarks)
            Text(config)[key] = JsonNode.Parse(value);
        Assert.Equal(before, DecoderFamilies.Describe(Parse(config)).ToString());
    }

    [Theory]
    [InlineData("llama", "sliding_window", "4096")]
    [InlineData("llama", "partial_rotary_factor", "0.5")]
    [InlineData("llama", "layer_types", "[\"sliding_attention\"]")]
    [InlineData("llama", "final_logit_softcapping", "30.0")]
    [InlineData("llama", "logits_scaling", "8.0")]
    [InlineData("llama", "rope_interleaved", "true")]
    [InlineData("mistral", "attention_bias", "true")]
    [InlineData("mistral", "layer_types", "[\"sliding_attention\", \"full_attention\"]")]
    [InlineData("qwen2", "mlp_bias", "true")]
    [InlineData("qwen2", "use_mrope", "true")]
    [InlineData("phi3", "full_attn_mod", "2")]
    [InlineData("olmo2", "clip_qkv", "8.0")]
    [InlineData("granite", "query_pre_attn_scalar", "64")]
    [InlineData("gemma2", "use_bidirectional_attention", "true")]
    [InlineData("gemma3", "quantization_config", "{\"quant_method\": \"gptq\"}")]
    [InlineData("smollm3", "embedding_multiplier", "12.0")]
    public void Keys_of_other_families_are_refused_where_they_are_not_neutral(string modelType, string key, string value)
    {
        JsonObject config = Default(modelType);
        if (key == "layer_types")
            Text(config)["num_hidden_layers"] = JsonNode.Parse(value)!.AsArray().Count;
        (key == "quantization_config" ? config : Text(config))[key] = JsonNode.Parse(value);
        if (key == "layer_types")
            Text(config)["sliding_window"] ??= modelType == "mistral" ? 16 : null;
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => DecoderFamilies.Describe(Parse(config)));
        Assert.True(error.Diagnostics[0].Code is "LB0504" or "LB0411", error.Message);
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_window_beside_a_switch_that_is_off_is_not_in_use()
    {
        JsonObject config = Default("llama");
        config["use_sliding_window"] = false;
        config["sliding_window"] = 131072; // as configs that were converted from Qwen have it
        Assert.All(DecoderFamilies.Describe(Parse(config)).Layers, layer => Assert.Null(layer.Window));
    }

    [Fact]
    public void Every_known_family_has_a_description()
    {
        foreach (string modelType in ModelFamilies.KnownModelTypes)
        {
            JsonObject config = Default(Defaults.ContainsKey(modelType) ? modelType : "llama");
            config["model_type"] = modelType;
            Assert.NotEmpty(DecoderFamilies.Describe(Parse(config)).Layers);
        }
    }

    private static int RealLayers(string modelType) => Text(Default(modelType))["num_hidden_layers"]!.GetValue<int>();

    private static JsonObject Default(string modelType) => Defaults[modelType]!.DeepClone().AsObject();

    private static JsonObject Text(JsonObject config) => config["text_config"] as JsonObject ?? config;

    private static ModelConfig Parse(JsonObject config)
    {
        using TemporaryDirectory directory = new();
        File.WriteAllText(Path.Combine(directory.Path, "config.json"), config.ToJsonString());
        return ModelConfig.Load(directory.Path);
    }
}
