// How a model is brought into memory.
using LoraBuild.Engine.Quantization;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

public sealed record LoadOptions
{
    /// <summary>Null: the CPU.</summary>
    public Device? Device { get; init; }

    /// <summary>Type of weights and arithmetic. Null: fp32 on a CPU, the stored type elsewhere.</summary>
    public ScalarType? Dtype { get; init; }

    /// <summary>Compresses the linear weights of the layers; null: they are held as tensors, unless they are stored quantised. Embedding and head are then held as <see cref="HoldsStoredType"/> has it.</summary>
    public QuantizationOptions? Quantization { get; init; }

    /// <summary>Where the arithmetic is fp32, linear weights that are stored as bf16 or fp16 stay so, mapped from the file, and are widened by tile inside each product, on a CPU those of embedding and head too. The results are the same.</summary>
    public bool HoldsStoredType { get; init; }

    /// <summary>Full fine-tuning: every weight is trained, in memory of its own.</summary>
    public bool RequiresGrad { get; init; }

    /// <summary>Fresh weights in the shape of config.json; no weight file is read.</summary>
    public bool RandomWeights { get; init; }

    /// <summary>Of <see cref="RandomWeights"/>.</summary>
    public long Seed { get; init; }

    /// <summary>Random weights are drawn where they live, by the device's own generator: quickly, but not the numbers that the seed gives on the CPU. With <see cref="Quantization"/> codes are drawn instead, for measurements.</summary>
    public bool DrawOnDevice { get; init; }
}
