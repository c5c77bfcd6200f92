// How many bytes the frozen weights of a model take, held one way or another.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Planning;

public enum WeightQuantization
{
    None,

    /// <summary>NF4 or FP4.</summary>
    FourBit,
    Int8,
}

/// <summary>Linear weights of the layers may be quantised; embedding, head, norms and biases never are.</summary>
/// <param name="PlainBytes">Of one number that is not quantised.</param>
/// <param name="IsDoublyQuantized">The scales of four-bit blocks are quantised too.</param>
public sealed record WeightHolding(int PlainBytes, WeightQuantization Quantization = WeightQuantization.None, bool IsDoublyQuantized = false)
{
    /// <summary>Weights that share one scale (QLoRA, Dettmers et al. 2023, §3).</summary>
    public const int BlockWeights = 64;

    /// <summary>Scales that share one scale of scales.</summary>
    public const int NestedBlockScales = 256;

    /// <summary>Bytes of embedding, head, norms and biases; differs from <see cref="PlainBytes"/> where a trainer widens them (PEFT's prepare_model_for_kbit_training).</summary>
    public int OtherBytes { get; init; } = PlainBytes;

    /// <summary>Bytes of a number of embedding and head, where they are held in the type of their file; null: as <see cref="OtherBytes"/>.</summary>
    public int? VocabularyBytes { get; init; }

    public long BytesOf(DecoderSpec spec) => ParameterLayout.All(spec).Sum(BytesOf);

    public bool IsQuantized(ParameterShape parameter) =>
        Quantization != WeightQuantization.None && parameter.Kind == ParameterKind.LinearWeight && parameter.ModulePath != ParameterLayout.HeadPath;

    public long BytesOf(ParameterShape parameter)
    {
        if (parameter.Kind == ParameterKind.Embedding || parameter.ModulePath == ParameterLayout.HeadPath)
            return parameter.Count * (VocabularyBytes ?? OtherBytes);
        if (parameter.Kind != ParameterKind.LinearWeight)
            return parameter.Count * OtherBytes;
        return Quantization switch
        {
            WeightQuantization.FourBit => Half(parameter.Count) + ScaleBytes(Blocks(parameter.Count, BlockWeights)),
            WeightQuantization.Int8 => parameter.Count + (parameter.Shape[0] * sizeof(float)), // a scale for each row
            _ => parameter.Count * PlainBytes,
        };
    }

    /// <summary>fp32 scales; or a byte each, an fp32 scale for every 256 of them, and the fp32 mean that was taken off.</summary>
    private long ScaleBytes(long scales) =>
        IsDoublyQuantized ? scales + (Blocks(scales, NestedBlockScales) * sizeof(float)) + sizeof(float) : scales * sizeof(float);

    private static long Half(long count) => (count + 1) / 2;

    private static long Blocks(long count, int size) => (count + size - 1) / size;
}
