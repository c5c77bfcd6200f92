// From a Hugging Face config to the description of its decoder: what each known family is, in one place.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Models;

public static class DecoderFamilies
{
    /// <exception cref="DiagnosticException">LB0501 activation, LB0502 rope type, LB0503 rope key, LB0504 a key that is not built, LB0505 a padding id outside the vocabulary, LB0507 a key that is not known.</exception>
    public static DecoderSpec Describe(ModelConfig config)
    {
        DecoderSpec spec = DescribeFamily(config);
        ConfigKeyCheck.Check(config);
        return spec;
    }

    private static DecoderSpec DescribeFamily(ModelConfig config) => config.ModelType switch
    {
        "llama" or "mistral" or "smollm3" => Common(config),
        "qwen2" => Common(config) with { HasOutputBias = false },
        "qwen3" => Common(config) with { QueryKeyNorm = QueryKeyNorm.PerHead },
        "phi3" => Common(config) with { IsQkvFused = true, IsGateUpFused = true, HasQkvBias = false, HasOutputBias = false },
        "olmo2" => Common(config) with { NormPlacement = NormPlacement.After, QueryKeyNorm = QueryKeyNorm.WholeProjection },
        "granite" => Common(config) with
        {
            AttentionScale = config.AttentionMultiplier ?? 1,
            EmbeddingScale = config.EmbeddingMultiplier,
            ResidualScale = config.ResidualMultiplier,
            LogitScale = 1 / config.LogitsScaling,
        },
        "gemma" => Gemma(config) with { NormPlacement = NormPlacement.Before, AttentionScale = 1 / Math.Sqrt(config.HeadDim) },
        "gemma2" => Gemma(config) with { AttentionSoftcap = config.AttnLogitSoftcapping },
        // transformers reads Gemma 3's attn_logit_softcapping and does not apply it.
        "gemma3_text" when config.OuterModelType == "gemma3" => Gemma(config) with
        {
            QueryKeyNorm = QueryKeyNorm.PerHead,
            ModulePrefix = "model.language_model",
            FilePrefixes = ["language_model.model", "model.language_model"],
            IgnoredFilePrefixes = ["vision_tower", "multi_modal_projector", "model.vision_tower", "model.multi_modal_projector"],
        },
        "gemma3_text" => Gemma(config) with { QueryKeyNorm = QueryKeyNorm.PerHead },
        _ => throw new InvalidOperationException($"the family {config.ModelType} has no description"), // ModelFamilies lists what there is
    };

    private static DecoderSpec Gemma(ModelConfig config) => Common(config) with
    {
        NormPlacement = NormPlacement.BeforeAndAfter,
        HasUnitOffsetNorm = true,
        AttentionScale = 1 / Math.Sqrt(config.QueryPreAttnScalar ?? config.HeadDim),
        EmbeddingScale = Math.Sqrt(config.HiddenSize),
        LogitSoftcap = config.FinalLogitSoftcapping,
    };

    private static DecoderSpec Common(ModelConfig config)
    {
        RopeSpec full = Rope(config, config.Rope);
        RopeSpec sliding = Rope(config, config.SlidingRope);
        bool hasOneRope = config.Rope == config.SlidingRope || !config.LayerTypes.Contains(LayerAttention.Sliding);
        return new DecoderSpec
        {
            ModelType = config.ModelType,
            VocabSize = config.VocabSize,
            HiddenSize = config.HiddenSize,
            IntermediateSize = config.IntermediateSize,
            HeadCount = config.NumAttentionHeads,
            KeyValueHeadCount = config.NumKeyValueHeads,
            HeadDim = config.HeadDim,
            Ropes = hasOneRope ? [full] : [full, sliding],
            Layers =
            [
                .. config.LayerTypes.Select((kind, i) => new LayerSpec(
                    config.LayersWithoutRope.Contains(i) ? null : kind == LayerAttention.Sliding && !hasOneRope ? 1 : 0,
                    kind == LayerAttention.Sliding ? config.SlidingWindow : null)),
            ],
            NormEps = config.RmsNormEps,
            IsHeadTied = config.TieWordEmbeddings,
            AttentionScale = 1 / Math.Sqrt(config.HeadDim),
            PaddingId = PaddingId(config),
            HasQkvBias = config.AttentionBias,
            HasOutputBias = config.AttentionOutputBias,
            HasMlpBias = config.MlpBias,
            Activation = ActivationOf(config),
            InitializerRange = Text(config)["initializer_range"] is JsonValue value && value.TryGetValue(out double range) ? range : 0.02,
        };
    }

    private static Activation ActivationOf(ModelConfig config) => config.HiddenAct switch
    {
        "silu" or "swish" => Activation.Silu,
        "gelu" => Activation.Gelu,
        "gelu_pytorch_tanh" or "gelu_new" => Activation.GeluTanh,
        _ => throw new DiagnosticException(
            "LB0501", $"the activation of the feed-forward layers is '{config.HiddenAct}'; known are silu, gelu, gelu_pytorch_tanh, gelu_new", config.FilePath),
    };

    private static RopeSpec Rope(ModelConfig config, RopeConfig rope)
    {
        RopeScaling scaling = rope.Type switch
        {
            "default" => RopeScaling.None,
            "linear" => RopeScaling.Linear,
            "llama3" => RopeScaling.Llama3,
            "yarn" => RopeScaling.Yarn,
            "longrope" => RopeScaling.LongRope,
            _ => throw new DiagnosticException("LB0502", $"the rope type is '{rope.Type}'; built are default, linear, llama3, yarn, longrope", config.FilePath),
        };
        int width = (int)(config.HeadDim * rope.PartialRotaryFactor);
        bool hasFactors = scaling != RopeScaling.LongRope || (rope.ShortFactor.Count == width / 2 && rope.LongFactor.Count == width / 2);
        if (width % 2 != 0 || width == 0 || !hasFactors)
        {
            throw new DiagnosticException(
                "LB0502", $"rope turns {width} of {config.HeadDim} components with {rope.ShortFactor.Count} short and {rope.LongFactor.Count} long factors; an even width and half as many factors are needed", config.FilePath);
        }

        return new RopeSpec
        {
            RotaryWidth = width,
            Theta = rope.Theta,
            Scaling = scaling,
            Factor = rope.Factor,
            LowFreqFactor = rope.LowFreqFactor,
            HighFreqFactor = rope.HighFreqFactor,
            OriginalMaxPositions = rope.OriginalMaxPositionEmbeddings,
            ShortFactors = rope.ShortFactor,
            LongFactors = rope.LongFactor,
            BetaFast = rope.BetaFast,
            BetaSlow = rope.BetaSlow,
            AttentionFactor = scaling switch
            {
                RopeScaling.Yarn => rope.AttentionFactor ?? (rope.Factor <= 1 ? 1 : (0.1 * Math.Log(rope.Factor)) + 1),
                RopeScaling.LongRope => rope.AttentionFactor ?? (rope.Factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(rope.Factor) / Math.Log(rope.OriginalMaxPositionEmbeddings)))),
                _ => 1,
            },
        };
    }

    private static int? PaddingId(ModelConfig config)
    {
        if (config.PadTokenId is not int id)
            return null;
        // torch.nn.Embedding counts a negative padding_idx from the end; old Llama files say -1.
        int row = id < 0 ? id + config.VocabSize : id;
        return row >= 0 && row < config.VocabSize
            ? row
            : throw new DiagnosticException("LB0505", $"pad_token_id is {id}, but the vocabulary has {config.VocabSize} rows; mend config.json", config.FilePath);
    }

    internal static JsonObject Text(ModelConfig config) => config.Raw["text_config"] as JsonObject ?? config.Raw;
}
