// What llama.cpp calls a model family, and where its files differ from Hugging Face's.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Export;

/// <param name="Name">Prefix of the metadata keys.</param>
internal sealed record GgufArchitecture(string Name)
{
    /// <summary>Hugging Face module of a layer → name in the file.</summary>
    private static readonly Dictionary<string, string> CommonModules = new(StringComparer.Ordinal)
    {
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["input_layernorm"] = "attn_norm",
        ["post_attention_layernorm"] = "ffn_norm",
    };

    /// <summary>Gemma's norm after the attention really is one; elsewhere that name means the norm before the MLP.</summary>
    private static readonly Dictionary<string, string> GemmaModules = new(CommonModules, StringComparer.Ordinal)
    {
        ["post_attention_layernorm"] = "post_attention_norm",
        ["pre_feedforward_layernorm"] = "ffn_norm",
        ["post_feedforward_layernorm"] = "post_ffw_norm",
    };

    /// <summary>OLMo 2 norms what attention and MLP give, not what they get.</summary>
    private static readonly Dictionary<string, string> Olmo2Modules = new(CommonModules, StringComparer.Ordinal)
    {
        ["post_attention_layernorm"] = "post_attention_norm",
        ["post_feedforward_layernorm"] = "post_ffw_norm",
    };

    /// <summary>Fused as they are; the gate's rows come first in both formats.</summary>
    private static readonly Dictionary<string, string> Phi3Modules = new(StringComparer.Ordinal)
    {
        ["self_attn.qkv_proj"] = "attn_qkv",
        ["self_attn.o_proj"] = "attn_output",
        ["mlp.gate_up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["input_layernorm"] = "attn_norm",
        ["post_attention_layernorm"] = "ffn_norm",
    };

    private static readonly Dictionary<string, string> Tops = new(StringComparer.Ordinal)
    {
        ["model.embed_tokens.weight"] = "token_embd.weight",
        ["model.norm.weight"] = "output_norm.weight",
        ["lm_head.weight"] = "output.weight",
    };

    /// <summary>Rows of q and k are stored interleaved, for llama.cpp's pairwise rotation.</summary>
    public bool IsQueryKeyPermuted { get; init; }

    public bool HasVocabularySize { get; init; }

    /// <summary>Writes how much of a head rotates always, not only where it is not the whole head.</summary>
    public bool HasRopeDimensions { get; init; }

    /// <summary>Writes the head sizes always, not only where they cannot be derived.</summary>
    public bool HasHeadSizes { get; init; }

    /// <summary>False: the rope base is written only where it is not llama.cpp's own default of 10000.</summary>
    public bool HasRopeBase { get; init; } = true;

    /// <summary>llama.cpp multiplies by a norm's weight, Gemma by 1 + weight.</summary>
    public float NormOffset { get; init; }

    /// <summary>llama.cpp's graph applies the window; elsewhere every layer sees everything.</summary>
    public bool HasSlidingWindow { get; init; }

    /// <summary>Rope scaling types besides <c>default</c>.</summary>
    public IReadOnlyList<string> RopeTypes { get; init; } = ["linear", "llama3", "yarn"];

    private Dictionary<string, string> LayerModules { get; init; } = CommonModules;

    /// <exception cref="DiagnosticException">LB0704: the family cannot be exported.</exception>
    public static GgufArchitecture Of(ModelConfig config) => config.ModelType switch
    {
        // llama.cpp has no arch of its own for Mistral, nor is one needed for Llama's layout under other names.
        "llama" or "mistral" => OfLlama("llama") with { HasHeadSizes = true },
        "granite" => OfLlama("granite"),
        "smollm3" => OfLlama("smollm3") with { HasHeadSizes = true },
        "olmo2" => new("olmo2") { LayerModules = Olmo2Modules },
        "qwen2" => new("qwen2"),
        "qwen3" => new("qwen3"),
        "gemma" => new("gemma") { HasHeadSizes = true, HasRopeBase = false, NormOffset = 1, RopeTypes = [] },
        "gemma2" => new("gemma2") { HasHeadSizes = true, HasRopeBase = false, NormOffset = 1, HasSlidingWindow = true, RopeTypes = [], LayerModules = GemmaModules },
        "gemma3_text" => new("gemma3") { HasHeadSizes = true, NormOffset = 1, HasSlidingWindow = true, RopeTypes = ["linear"], LayerModules = GemmaModules },
        "phi3" => new("phi3") { HasRopeDimensions = true, RopeTypes = ["longrope"], LayerModules = Phi3Modules },
        _ => throw Refused(config, "exported are the families gemma, gemma2, gemma3, granite, llama, mistral, olmo2, phi3, qwen2, qwen3, smollm3"),
    };

    private static GgufArchitecture OfLlama(string name) => new(name) { IsQueryKeyPermuted = true, HasVocabularySize = true, HasRopeDimensions = true };

    /// <summary>LB0704, with the way on: what cannot be exported can still be trained and merged.</summary>
    public static DiagnosticException Refused(ModelConfig config, string why) =>
        new("LB0704", $"this model of the type '{config.FileModelType}' cannot be exported to GGUF: {why}. To train and merge it without the export, say export: {{ gguf: [] }} in the recipe.", config.FilePath);

    /// <summary>The name in the file; null for a name that is no part of this family.</summary>
    /// <param name="name">As a text model has it: see <see cref="TextTensorName"/>.</param>
    public string? TensorName(string name)
    {
        if (Tops.TryGetValue(name, out string? top))
            return top;
        const string Prefix = "model.layers.";
        int layerEnd = name.StartsWith(Prefix, StringComparison.Ordinal) ? name.IndexOf('.', Prefix.Length) : -1;
        int kindStart = name.LastIndexOf('.');
        if (layerEnd < 0 || kindStart <= layerEnd)
            return null;
        string kind = name[kindStart..];
        return kind is ".weight" or ".bias" && LayerModules.TryGetValue(name[(layerEnd + 1)..kindStart], out string? module)
            ? $"blk.{name[Prefix.Length..layerEnd]}.{module}{kind}"
            : null;
    }

    /// <summary>Heads whose rows are interleaved; null: the rows stay as they are.</summary>
    public int? PermutedHeads(string name, ModelConfig config) => name switch
    {
        _ when !IsQueryKeyPermuted => null,
        _ when name.Contains(".self_attn.q_proj.", StringComparison.Ordinal) => config.NumAttentionHeads,
        _ when name.Contains(".self_attn.k_proj.", StringComparison.Ordinal) => config.NumKeyValueHeads,
        _ => null,
    };

    /// <summary>What is added to each value of a tensor, in fp32.</summary>
    public float Offset(string name) => name.EndsWith("norm.weight", StringComparison.Ordinal) ? NormOffset : 0;
}
