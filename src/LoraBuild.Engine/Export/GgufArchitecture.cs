// What llama.cpp calls a model family, and where its files differ from Hugging Face's.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Export;

/// <param name="Name">Prefix of the metadata keys.</param>
/// <param name="IsQueryKeyPermuted">Rows of q and k are stored interleaved, for llama.cpp's pairwise rotation.</param>
/// <param name="HasRopeDimensions">Writes vocab_size, rope.dimension_count and the head sizes always, not only where they cannot be derived.</param>
internal sealed record GgufArchitecture(string Name, bool IsQueryKeyPermuted, bool HasRopeDimensions)
{
    /// <summary>Hugging Face module of a layer → name in the file.</summary>
    private static readonly Dictionary<string, string> LayerModules = new(StringComparer.Ordinal)
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

    private static readonly Dictionary<string, string> Tops = new(StringComparer.Ordinal)
    {
        ["model.embed_tokens.weight"] = "token_embd.weight",
        ["model.norm.weight"] = "output_norm.weight",
        ["lm_head.weight"] = "output.weight",
    };

    /// <exception cref="DiagnosticException">LB0704: the family cannot be exported.</exception>
    public static GgufArchitecture Of(ModelConfig config) => config.ModelType switch
    {
        "llama" or "mistral" => new("llama", IsQueryKeyPermuted: true, HasRopeDimensions: true), // llama.cpp has no arch of its own for Mistral
        "qwen2" => new("qwen2", false, false),
        "qwen3" => new("qwen3", false, false),
        _ => throw new DiagnosticException("LB0704", $"models of the type '{config.ModelType}' cannot be exported to GGUF; exported are llama, mistral, qwen2, qwen3", config.FilePath),
    };

    /// <summary>The name in the file; null for a name that is no part of this family.</summary>
    public static string? TensorName(string name)
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
}
