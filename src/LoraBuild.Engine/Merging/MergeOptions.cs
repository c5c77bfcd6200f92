// What a merge may be told, and what it says afterwards.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Quantization;

namespace LoraBuild.Engine.Merging;

public sealed record MergeOptions
{
    /// <summary>Type of the merged floating-point weights; null: each tensor keeps the base's.</summary>
    public TensorDtype? Dtype { get; init; }

    /// <summary>Bytes of tensor data in one file, as transformers' <c>max_shard_size</c>; a larger tensor has a file of its own.</summary>
    public long MaxShardSize { get; init; } = 5_000_000_000;

    /// <summary>The adapter is added to the decoded codes that these options make of the linear weights, which is what training with them saw; null: to the weights themselves.</summary>
    public QuantizationOptions? Dequantized { get; init; }

    /// <summary>Threads that add the updates; null: all cores. The bytes are the same for any number.</summary>
    public int? Threads { get; init; }
}

/// <param name="ModulesMerged">Modules that got a low-rank update.</param>
/// <param name="TensorsReplaced">Tensors taken whole from the adapter (modules_to_save) or from a full fine-tuning.</param>
/// <param name="TotalBytes">Tensor data written.</param>
/// <param name="IsHeadUntied">The base ties lm_head to the embedding, the merged model does not: the adapter trained them apart.</param>
/// <param name="IsBaseQuantized">The base's files hold codes, so that its own weights are the decoded ones.</param>
public sealed record MergeReport(int ModulesMerged, int TensorsReplaced, int Tensors, long TotalBytes, int Shards, bool IsHeadUntied, bool IsBaseQuantized);
