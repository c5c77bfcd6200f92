// The metadata keys of a model: its sizes under llama.cpp's names.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Engine.Export;

internal static class GgufMetadata
{
    /// <exception cref="DiagnosticException">LB0704: llama.cpp cannot compute a model of this config.</exception>
    public static List<GgufKey> Of(ModelConfig config, GgufArchitecture architecture, uint fileType)
    {
        string arch = architecture.Name;
        List<GgufKey> keys =
        [
            GgufKey.Of("general.architecture", arch),
            GgufKey.Of("general.type", "model"),
            GgufKey.Of("general.file_type", fileType),
            GgufKey.Of("general.quantization_version", 2u),
            GgufKey.Of($"{arch}.block_count", (uint)config.NumHiddenLayers),
            GgufKey.Of($"{arch}.context_length", (uint)config.MaxPositionEmbeddings),
            GgufKey.Of($"{arch}.embedding_length", (uint)config.HiddenSize),
            GgufKey.Of($"{arch}.feed_forward_length", (uint)config.IntermediateSize),
            GgufKey.Of($"{arch}.attention.head_count", (uint)config.NumAttentionHeads),
            GgufKey.Of($"{arch}.attention.head_count_kv", (uint)config.NumKeyValueHeads),
            GgufKey.Of($"{arch}.attention.layer_norm_rms_epsilon", (float)config.RmsNormEps),
        ];
        if (architecture.HasRopeBase || config.Rope.Theta != 10000)
            keys.Add(GgufKey.Of($"{arch}.rope.freq_base", (float)config.Rope.Theta));
        if (architecture.HasVocabularySize)
            keys.Add(GgufKey.Of($"{arch}.vocab_size", (uint)config.VocabSize));
        if (architecture.HasRopeDimensions || config.Rope.PartialRotaryFactor != 1)
            keys.Add(GgufKey.Of($"{arch}.rope.dimension_count", (uint)(config.HeadDim * config.Rope.PartialRotaryFactor)));

        // Without these llama.cpp assumes hidden / heads, and a file for which that is wrong does not load.
        if (architecture.HasHeadSizes || config.HeadDim * config.NumAttentionHeads != config.HiddenSize)
        {
            keys.Add(GgufKey.Of($"{arch}.attention.key_length", (uint)config.HeadDim));
            keys.Add(GgufKey.Of($"{arch}.attention.value_length", (uint)config.HeadDim));
        }

        AddRopeScaling(keys, config, architecture);
        keys.AddRange(GgufFamilyKeys.Of(config, arch));
        return keys;
    }

    private static void AddRopeScaling(List<GgufKey> keys, ModelConfig config, GgufArchitecture architecture)
    {
        string arch = architecture.Name;
        RopeConfig rope = config.Rope;
        if (rope.Type != "default" && !architecture.RopeTypes.Contains(rope.Type))
            throw GgufArchitecture.Refused(config, $"its rope scaling has the type '{rope.Type}'; exported for {arch} are {string.Join(", ", ["default", .. architecture.RopeTypes])}");
        switch (rope.Type)
        {
            case "linear":
                keys.Add(GgufKey.Of($"{arch}.rope.scaling.type", "linear"));
                keys.Add(GgufKey.Of($"{arch}.rope.scaling.factor", (float)rope.Factor));
                break;
            case "yarn":
                keys.Add(GgufKey.Of($"{arch}.rope.scaling.type", "yarn"));
                keys.Add(GgufKey.Of($"{arch}.rope.scaling.factor", (float)rope.Factor));
                keys.Add(GgufKey.Of($"{arch}.rope.scaling.original_context_length", (uint)rope.OriginalMaxPositionEmbeddings));
                break;
            default: // llama3 and longrope are tensors, not metadata: see RopeFrequencies
                break;
        }
    }
}
