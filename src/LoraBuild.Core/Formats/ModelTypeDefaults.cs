// What an absent key means for each model type, from transformers' configuration classes.
namespace LoraBuild.Core.Formats;

/// <summary>Null sizes are required keys. Gemma's public files leave most of them out.</summary>
internal sealed record ModelTypeDefaults
{
    public int? VocabSize { get; init; }
    public int? HiddenSize { get; init; }
    public int? IntermediateSize { get; init; }
    public int? NumHiddenLayers { get; init; }
    public int? NumAttentionHeads { get; init; }
    public int? NumKeyValueHeads { get; init; }
    public int? HeadDim { get; init; }
    public int MaxPositionEmbeddings { get; init; } = 2048;
    public double RmsNormEps { get; init; } = 1e-6;
    public bool TieWordEmbeddings { get; init; }
    public double RopeTheta { get; init; } = 10000;
    public int? SlidingWindow { get; init; }
    public bool NeedsUseSlidingWindow { get; init; }
    public bool HasLocalRope { get; init; }
    public bool IsGemma { get; init; }
    public double? QueryPreAttnScalar { get; init; }
    public double? AttnLogitSoftcapping { get; init; }
    public double? FinalLogitSoftcapping { get; init; }
    public int? BosTokenId { get; init; } = 1;
    public int? EosTokenId { get; init; } = 2;
    public int? PadTokenId { get; init; }

    /// <summary>Biases on q, k, v.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Phi 3: stands beside the rope's own value and counts before it.</summary>
    public int? OriginalMaxPositionEmbeddings { get; init; }

    /// <param name="modelType">The text model's name in the file.</param>
    public static ModelTypeDefaults Of(string modelType) => modelType switch
    {
        "mistral" => new() { NumKeyValueHeads = 8, MaxPositionEmbeddings = 4096 * 32, SlidingWindow = 4096 },
        "qwen2" => new() { NumKeyValueHeads = 32, MaxPositionEmbeddings = 32768, SlidingWindow = 4096, NeedsUseSlidingWindow = true, BosTokenId = null, EosTokenId = null },
        "qwen3" => new() { NumKeyValueHeads = 32, HeadDim = 128, MaxPositionEmbeddings = 32768, SlidingWindow = 4096, NeedsUseSlidingWindow = true, BosTokenId = null, EosTokenId = null },
        "phi3" => new() { MaxPositionEmbeddings = 4096, RmsNormEps = 1e-5, EosTokenId = 32000, PadTokenId = 32000, OriginalMaxPositionEmbeddings = 4096 },
        "smollm3" => new()
        {
            NumKeyValueHeads = 4, MaxPositionEmbeddings = 32768, TieWordEmbeddings = true, RopeTheta = 2_000_000, NeedsUseSlidingWindow = true,
            BosTokenId = 128000, EosTokenId = 128001, PadTokenId = 128004,
        },
        "seed_oss" => new() { NumKeyValueHeads = 8, HeadDim = 128, MaxPositionEmbeddings = 524288, AttentionBias = true, BosTokenId = 0, EosTokenId = 2, PadTokenId = 1 },
        "ministral" => new() { NumKeyValueHeads = 8, MaxPositionEmbeddings = 4096 * 32, SlidingWindow = 4096 },
        "olmo2" => new() { RmsNormEps = 1e-5, BosTokenId = null, EosTokenId = 50279, PadTokenId = 1 },
        "gemma" => new()
        {
            VocabSize = 256000, HiddenSize = 3072, IntermediateSize = 24576, NumHiddenLayers = 28, NumAttentionHeads = 16, NumKeyValueHeads = 16, HeadDim = 256,
            MaxPositionEmbeddings = 8192, TieWordEmbeddings = true, IsGemma = true, BosTokenId = 2, EosTokenId = 1, PadTokenId = 0,
        },
        "gemma2" => new()
        {
            VocabSize = 256000, HiddenSize = 2304, IntermediateSize = 9216, NumHiddenLayers = 26, NumAttentionHeads = 8, NumKeyValueHeads = 4, HeadDim = 256,
            MaxPositionEmbeddings = 8192, TieWordEmbeddings = true, SlidingWindow = 4096, IsGemma = true,
            QueryPreAttnScalar = 256, AttnLogitSoftcapping = 50, FinalLogitSoftcapping = 30, BosTokenId = 2, EosTokenId = 1, PadTokenId = 0,
        },
        "gemma3_text" => new()
        {
            VocabSize = 262208, HiddenSize = 2304, IntermediateSize = 9216, NumHiddenLayers = 26, NumAttentionHeads = 8, NumKeyValueHeads = 4, HeadDim = 256,
            MaxPositionEmbeddings = 131072, TieWordEmbeddings = true, RopeTheta = 1_000_000, SlidingWindow = 4096, HasLocalRope = true, IsGemma = true,
            QueryPreAttnScalar = 256, BosTokenId = 2, EosTokenId = 1, PadTokenId = 0,
        },
        _ => new(),
    };
}
