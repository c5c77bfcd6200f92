// How frozen weights are compressed when a model is loaded.
using LoraBuild.Core.Formats.BitsAndBytes;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Quantization;

/// <summary>Of all linear modules of the decoder's layers; head, embeddings, norms and biases stay as they are, as transformers and bitsandbytes leave them.</summary>
public sealed record QuantizationOptions
{
    public WeightCode Code { get; init; } = WeightCode.Nf4;

    /// <summary>Weights that share a scale, of four-bit codes.</summary>
    public int BlockSize { get; init; } = FourBitBlocks.DefaultBlockSize;

    /// <summary>The scales are compressed too, of four-bit codes.</summary>
    public bool HasDoubleQuantization { get; init; } = true;

    /// <summary>Float32 or BFloat16: what operands and results of products with compressed weights are rounded to; sums are kept in fp32. Null: the type of the model's arithmetic.</summary>
    public ScalarType? ComputeType { get; init; }

    /// <summary>Where the compressed weights are kept for the next start; null: nowhere.</summary>
    public QuantizedCache? Cache { get; init; }

    /// <summary>Ends the making of codes between two weights.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>What decides the codes beside the base model's weights.</summary>
    internal string Settings => Code == WeightCode.Int8 ? "int8 rows 2" : FormattableString.Invariant($"{Code.Name()} {BlockSize} {(HasDoubleQuantization ? "nested" : "plain")} 1");
}
