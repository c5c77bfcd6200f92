// Metadata keys of single families, and what their llama.cpp graph takes for granted: a model that differs would load and answer nonsense.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Engine.Export;

internal static class GgufFamilyKeys
{
    /// <exception cref="DiagnosticException">LB0704: the config is one that llama.cpp computes differently.</exception>
    public static IEnumerable<GgufKey> Of(ModelConfig config, string arch) => arch switch
    {
        "gemma" => Gemma1(config),
        "gemma2" => Gemma2(config),
        "gemma3" => Gemma3(config),
        "phi3" => Phi3(config),
        "granite" => Granite(config),
        "olmo2" => Olmo2(config),
        "smollm3" => SmolLm3(config),
        _ => [],
    };

    private static List<GgufKey> Gemma1(ModelConfig config)
    {
        CheckGemmaModules(config);
        if (!config.TieWordEmbeddings)
            throw GgufArchitecture.Refused(config, "tie_word_embeddings is false, but llama.cpp takes a Gemma model's head from its embedding");
        return [];
    }

    private static List<GgufKey> Gemma2(ModelConfig config)
    {
        // llama.cpp takes 46 layers for the 27B model, whose scores are scaled by another width.
        CheckGemma(config, period: 2, layersOfWideScores: 46);
        if (config.AttnLogitSoftcapping is not double attention || config.FinalLogitSoftcapping is not double final)
            throw GgufArchitecture.Refused(config, "attn_logit_softcapping and final_logit_softcapping must both be numbers: llama.cpp caps a Gemma 2 model's logits in any case");
        if (!config.TieWordEmbeddings)
            throw GgufArchitecture.Refused(config, "tie_word_embeddings is false, but llama.cpp takes a Gemma 2 model's head from its embedding and refuses a file with both");
        return
        [
            GgufKey.Of("gemma2.attn_logit_softcapping", (float)attention),
            GgufKey.Of("gemma2.final_logit_softcapping", (float)final),
            GgufKey.Of("gemma2.attention.sliding_window", (uint)config.SlidingWindow!.Value),
        ];
    }

    private static List<GgufKey> Gemma3(ModelConfig config)
    {
        CheckGemma(config, period: 6, layersOfWideScores: 62);
        if (config.AttnLogitSoftcapping is not null || config.FinalLogitSoftcapping is not null)
            throw GgufArchitecture.Refused(config, "attn_logit_softcapping and final_logit_softcapping must be null: llama.cpp does not cap a Gemma 3 model's logits");
        if (config.SlidingRope.Type != "default")
            throw GgufArchitecture.Refused(config, $"the sliding layers' rope has the type '{config.SlidingRope.Type}'; llama.cpp scales a Gemma 3 model's global layers only");
        return
        [
            GgufKey.Of("gemma3.attention.sliding_window", (uint)config.SlidingWindow!.Value),
            GgufKey.Of("gemma3.rope.freq_base_swa", (float)config.SlidingRope.Theta),
        ];
    }

    private static void CheckGemma(ModelConfig config, int period, int layersOfWideScores)
    {
        for (int i = 0; i < config.NumHiddenLayers; i++)
        {
            LayerAttention expected = (i + 1) % period == 0 ? LayerAttention.Full : LayerAttention.Sliding;
            if (config.LayerTypes[i] != expected)
                throw GgufArchitecture.Refused(config, $"layer {i} has {Name(config.LayerTypes[i])} attention, but llama.cpp gives it {Name(expected)} attention: every {period}th layer is global, whatever the config says");
        }

        int width = config.NumHiddenLayers == layersOfWideScores ? config.HiddenSize / config.NumAttentionHeads : config.HeadDim;
        if (config.QueryPreAttnScalar != width)
            throw GgufArchitecture.Refused(config, $"query_pre_attn_scalar is {config.QueryPreAttnScalar}, but llama.cpp scales the scores of a model of this size by 1/√{width}");
        CheckGemmaModules(config);
    }

    private static void CheckGemmaModules(ModelConfig config)
    {
        if (config.AttentionBias)
            throw GgufArchitecture.Refused(config, "attention_bias is true, but llama.cpp's Gemma has no biases");
        if (config.HiddenAct != "gelu_pytorch_tanh")
            throw GgufArchitecture.Refused(config, $"the activation is '{config.HiddenAct}', but llama.cpp's Gemma has gelu_pytorch_tanh");
    }

    private static List<GgufKey> Phi3(ModelConfig config)
    {
        RopeConfig rope = config.Rope;
        bool isLongRope = rope.Type == "longrope";
        int pairs = (int)(config.HeadDim * rope.PartialRotaryFactor) / 2;
        if (isLongRope && (rope.LongFactor.Count != pairs || rope.ShortFactor.Count != pairs))
            throw GgufArchitecture.Refused(config, $"rope_scaling has {rope.LongFactor.Count} long and {rope.ShortFactor.Count} short factors; half of what rotates of a head is {pairs}");
        int original = isLongRope ? rope.OriginalMaxPositionEmbeddings : OriginalContext(config);
        List<GgufKey> keys =
        [
            GgufKey.Of("phi3.rope.scaling.original_context_length", (uint)original),
            GgufKey.Of("phi3.attention.sliding_window", (uint)(config.SlidingWindow ?? 0)), // llama.cpp asks for the key, 0 is none
        ];
        if (isLongRope)
            keys.Add(GgufKey.Of("phi3.rope.scaling.attn_factor", (float)(rope.AttentionFactor ?? RopeFrequencies.LongRopeAttentionFactor(rope.Factor, original))));
        return keys;
    }

    private static List<GgufKey> Granite(ModelConfig config) =>
    [
        GgufKey.Of("granite.embedding_scale", (float)config.EmbeddingMultiplier),
        GgufKey.Of("granite.attention.scale", (float)(config.AttentionMultiplier ?? 1)),
        GgufKey.Of("granite.residual_scale", (float)config.ResidualMultiplier),
        GgufKey.Of("granite.logit_scale", (float)config.LogitsScaling), // the logits are divided by it
    ];

    private static List<GgufKey> Olmo2(ModelConfig config) => config.AttentionBias
        ? throw GgufArchitecture.Refused(config, "attention_bias is true, but llama.cpp's OLMo 2 has no biases")
        : [];

    private static List<GgufKey> SmolLm3(ModelConfig config)
    {
        for (int i = 0; i < config.NumHiddenLayers; i++)
        {
            if (config.LayersWithoutRope.Contains(i) != ((i + 1) % 4 == 0))
                throw GgufArchitecture.Refused(config, $"no_rope_layers says that layer {i} {(config.LayersWithoutRope.Contains(i) ? "does not rotate" : "rotates")}; llama.cpp leaves out the rotation in every fourth layer, whatever the config says");
            if (config.LayerTypes[i] == LayerAttention.Sliding)
                throw GgufArchitecture.Refused(config, $"layer {i} has sliding attention; llama.cpp's SmolLM3 attends fully");
        }

        return [];
    }

    private static int OriginalContext(ModelConfig config) =>
        config.Raw["original_max_position_embeddings"] is System.Text.Json.Nodes.JsonValue v && v.TryGetValue(out int length) && length > 0 ? length : config.MaxPositionEmbeddings;

    private static string Name(LayerAttention attention) => attention == LayerAttention.Sliding ? "sliding" : "full";
}
