// A Hugging Face config.json as plain data, the same from both layouts (transformers 4 and 5).
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

public enum LayerAttention
{
    Full,

    /// <summary>Only the last <see cref="ModelConfig.SlidingWindow"/> keys, itself included.</summary>
    Sliding,
}

/// <summary>The text part of a model's configuration. Absent keys have the default of that model type (transformers' configuration classes).</summary>
public sealed record ModelConfig
{
    /// <summary>The whole file, with every key that is not named here.</summary>
    public required JsonObject Raw { get; init; }

    /// <summary>Absolute path of the file.</summary>
    public required string FilePath { get; init; }

    /// <summary>The family of the text model: llama, qwen2, gemma3_text, …; other names of a family (<see cref="ModelFamilies"/>) are resolved.</summary>
    public required string ModelType { get; init; }

    /// <summary>The text model's name in the file: differs from <see cref="ModelType"/> where it is another name of that family.</summary>
    public required string FileModelType { get; init; }

    /// <summary>The whole model's name in the file: differs from <see cref="FileModelType"/> for multimodal models (gemma3 around gemma3_text).</summary>
    public required string OuterModelType { get; init; }

    public IReadOnlyList<string> Architectures { get; init; } = [];
    public required int VocabSize { get; init; }
    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int NumHiddenLayers { get; init; }
    public required int NumAttentionHeads { get; init; }
    public required int NumKeyValueHeads { get; init; }

    /// <summary>Need not be hidden size / heads.</summary>
    public required int HeadDim { get; init; }

    /// <summary>silu, gelu_pytorch_tanh, gelu, …</summary>
    public required string HiddenAct { get; init; }
    public required int MaxPositionEmbeddings { get; init; }
    public required double RmsNormEps { get; init; }
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Biases on q, k and v.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Bias on o; Qwen2 has biases on q, k, v alone.</summary>
    public bool AttentionOutputBias { get; init; }
    public bool MlpBias { get; init; }

    /// <summary>Rotary embedding of full-attention layers.</summary>
    public required RopeConfig Rope { get; init; }

    /// <summary>Rotary embedding of sliding layers; equals <see cref="Rope"/> except in Gemma 3.</summary>
    public required RopeConfig SlidingRope { get; init; }

    /// <summary>Keys a sliding layer sees, itself included; null where no layer slides.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>One entry a layer.</summary>
    public required IReadOnlyList<LayerAttention> LayerTypes { get; init; }

    /// <summary>Numbers of the layers that do not rotate queries and keys (SmolLM3).</summary>
    public IReadOnlyList<int> LayersWithoutRope { get; init; } = [];

    /// <summary>Gemma: scores are divided by the root of this instead of head_dim.</summary>
    public double? QueryPreAttnScalar { get; init; }
    public double? AttnLogitSoftcapping { get; init; }
    public double? FinalLogitSoftcapping { get; init; }

    /// <summary>Granite: factor on the embeddings.</summary>
    public double EmbeddingMultiplier { get; init; } = 1;

    /// <summary>Granite: the factor on the scores itself, in place of 1/√head_dim.</summary>
    public double? AttentionMultiplier { get; init; }

    /// <summary>Granite: factor on what a block adds.</summary>
    public double ResidualMultiplier { get; init; } = 1;

    /// <summary>Granite: the logits are divided by this.</summary>
    public double LogitsScaling { get; init; } = 1;
    public int? BosTokenId { get; init; }
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];
    public int? PadTokenId { get; init; }

    /// <summary>The type that the weights are stored in, as the file says; null where it does not.</summary>
    public TensorDtype? Dtype { get; init; }

    /// <exception cref="DiagnosticException">LB0410: config.json is missing or not JSON; LB0411: a key is missing or impossible; LB0500: a family that is not known.</exception>
    public static ModelConfig Load(string modelDirectory) => LoadFile(Path.Combine(modelDirectory, "config.json"));

    /// <summary>Reads a config under another file name.</summary>
    public static ModelConfig LoadFile(string path)
    {
        JsonObject raw = JsonFile.ReadObject(path, "LB0410", "a model directory needs a config.json; is this a Hugging Face model directory?", JsonFile.ConfigBytes);
        return ModelConfigParser.Parse(raw, Path.GetFullPath(path));
    }
}
