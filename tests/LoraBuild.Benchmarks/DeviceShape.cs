// The models whose training steps are timed on devices, as their own config.json files describe them.
using System.Text.Json.Nodes;

namespace LoraBuild.Benchmarks;

internal static class DeviceShape
{
    public const string Names = "tiny, qwen2.5-0.5b, qwen2.5-7b, llama-3.1-8b";

    /// <returns>Null: there is no such shape.</returns>
    public static JsonObject? ConfigOf(string shape) => shape switch
    {
        "tiny" => Config("qwen2", 64, 160, 2, 4, 2, 512, 1e-6, 1e6, isTied: true), // to try the program out
        "qwen2.5-0.5b" => Config("qwen2", 896, 4864, 24, 14, 2, 151936, 1e-6, 1e6, isTied: true),
        "qwen2.5-7b" => Config("qwen2", 3584, 18944, 28, 28, 4, 152064, 1e-6, 1e6, isTied: false),
        "llama-3.1-8b" => Config("llama", 4096, 14336, 32, 32, 8, 128256, 1e-5, 5e5, isTied: false),
        _ => null,
    };

    private static JsonObject Config(string family, int hidden, int intermediate, int layers, int heads, int keyValueHeads, int vocabulary, double eps, double theta, bool isTied) => new()
    {
        ["architectures"] = new JsonArray(family == "qwen2" ? "Qwen2ForCausalLM" : "LlamaForCausalLM"),
        ["model_type"] = family,
        ["hidden_size"] = hidden,
        ["intermediate_size"] = intermediate,
        ["num_hidden_layers"] = layers,
        ["num_attention_heads"] = heads,
        ["num_key_value_heads"] = keyValueHeads,
        ["vocab_size"] = vocabulary,
        ["max_position_embeddings"] = 32768,
        ["rms_norm_eps"] = eps,
        ["rope_theta"] = theta,
        ["hidden_act"] = "silu",
        ["tie_word_embeddings"] = isTied,
        ["torch_dtype"] = "bfloat16",
    };
}
