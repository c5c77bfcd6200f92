// One decoder, described by values: a model family fills this record, it does not add a class.
namespace LoraBuild.Engine.Models;

public enum Activation
{
    Silu,

    /// <summary>Exact GELU, with erf.</summary>
    Gelu,

    /// <summary>The tanh approximation (<c>gelu_pytorch_tanh</c>).</summary>
    GeluTanh,
}

/// <summary>Where the norms of a layer stand; x is the residual stream, f attention or feed-forward.</summary>
public enum NormPlacement
{
    /// <summary>x + f(norm(x)): Llama, Qwen, Mistral, Phi, Granite.</summary>
    Before,

    /// <summary>x + norm(f(x)): OLMo 2.</summary>
    After,

    /// <summary>x + norm(f(norm(x))): Gemma 2 and 3.</summary>
    BeforeAndAfter,
}

public enum QueryKeyNorm
{
    None,

    /// <summary>Over each head, after the split into heads: Qwen 3, Gemma 3.</summary>
    PerHead,

    /// <summary>Over the whole projection, before the split: OLMo 2.</summary>
    WholeProjection,
}

/// <summary>Everything in which the decoders of the known families differ. Sizes are counts of features.</summary>
public sealed record DecoderSpec
{
    public required string ModelType { get; init; }
    public required int VocabSize { get; init; }
    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int HeadCount { get; init; }
    public required int KeyValueHeadCount { get; init; }
    public required int HeadDim { get; init; }
    public required IReadOnlyList<LayerSpec> Layers { get; init; }

    /// <summary>The ropes that <see cref="LayerSpec.Rope"/> points into.</summary>
    public required IReadOnlyList<RopeSpec> Ropes { get; init; }
    public required double NormEps { get; init; }
    public required bool IsHeadTied { get; init; }

    /// <summary>Factor on the attention scores.</summary>
    public required double AttentionScale { get; init; }

    /// <summary>Rows of the embedding with this id get no gradient from look-ups; null: all do.</summary>
    public int? PaddingId { get; init; }

    public NormPlacement NormPlacement { get; init; }

    /// <summary>Norm weights are stored as w and used as 1 + w (Gemma).</summary>
    public bool HasUnitOffsetNorm { get; init; }
    public QueryKeyNorm QueryKeyNorm { get; init; }
    public bool HasQkvBias { get; init; }
    public bool HasOutputBias { get; init; }
    public bool HasMlpBias { get; init; }

    /// <summary>q, k, v are rows of one <c>qkv_proj</c> (Phi 3).</summary>
    public bool IsQkvFused { get; init; }

    /// <summary>gate and up are rows of one <c>gate_up_proj</c> (Phi 3).</summary>
    public bool IsGateUpFused { get; init; }
    public Activation Activation { get; init; }

    /// <summary>Factor on the embeddings, rounded to their type; 1: none.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>Factor on what each half of a layer adds to the residual stream.</summary>
    public double ResidualScale { get; init; } = 1;

    /// <summary>Factor on the logits, before the cap.</summary>
    public double LogitScale { get; init; } = 1;

    /// <summary>scores → cap · tanh(scores / cap).</summary>
    public double? AttentionSoftcap { get; init; }

    /// <summary>logits → cap · tanh(logits / cap).</summary>
    public double? LogitSoftcap { get; init; }

    /// <summary>Standard deviation of fresh weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Module path of the decoder: <c>model</c>, or <c>model.language_model</c> inside a multimodal model.</summary>
    public string ModulePrefix { get; init; } = "model";

    /// <summary>What stands in files in place of <see cref="ModulePrefix"/>, in the order in which it is looked for.</summary>
    public IReadOnlyList<string> FilePrefixes { get; init; } = ["model"];

    /// <summary>Tensors of files under these prefixes belong to parts that are not built (a vision tower) and are left where they are.</summary>
    public IReadOnlyList<string> IgnoredFilePrefixes { get; init; } = [];
}

/// <param name="Rope">Index into <see cref="DecoderSpec.Ropes"/>; null: queries and keys do not rotate.</param>
/// <param name="Window">Sliding window in tokens, the query itself included; null: none.</param>
public sealed record LayerSpec(int? Rope, int? Window);

public enum RopeScaling
{
    None,
    Linear,
    Llama3,
    Yarn,
    LongRope,
}

/// <summary>f_i = θ^(−2i/d), scaled. The formulas are those of transformers' <c>modeling_rope_utils</c>.</summary>
public sealed record RopeSpec
{
    /// <summary>d: how many components of a head turn; even.</summary>
    public required int RotaryWidth { get; init; }
    public required double Theta { get; init; }
    public RopeScaling Scaling { get; init; }
    public double Factor { get; init; } = 1;
    public double LowFreqFactor { get; init; } = 1;
    public double HighFreqFactor { get; init; } = 4;

    /// <summary>L: the length that the model was first trained on, in tokens.</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary>LongRope: divisors of f while positions stay below <see cref="OriginalMaxPositions"/>; [d / 2].</summary>
    public IReadOnlyList<double> ShortFactors { get; init; } = [];

    /// <summary>LongRope: divisors of f beyond; [d / 2].</summary>
    public IReadOnlyList<double> LongFactors { get; init; } = [];

    /// <summary>Yarn: β of the ramp's two ends, in turns over <see cref="OriginalMaxPositions"/>.</summary>
    public double BetaFast { get; init; } = 32;
    public double BetaSlow { get; init; } = 1;

    /// <summary>cos and sin are multiplied by this.</summary>
    public double AttentionFactor { get; init; } = 1;
}
