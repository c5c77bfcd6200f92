// Everything that decides how much memory a training run needs.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Planning;

/// <summary>How the matrix of the logits gets a gradient.</summary>
public enum HeadTraining
{
    None,

    /// <summary>It is trained itself.</summary>
    Whole,

    /// <summary>It is put together for each batch, of the frozen matrix and a low-rank update or trained rows.</summary>
    OfParts,
}

public enum Recomputation
{
    None,

    /// <summary>Each layer keeps its input alone (Chen et al. 2016).</summary>
    Layers,

    /// <summary>And that in a file, or in host memory.</summary>
    LayersOffloaded,
}

/// <summary>Several devices share weights, gradients and moments (ZeRO stage 3, Rajbhandari et al. 2020; PyTorch's FSDP).</summary>
/// <param name="Devices">How many.</param>
/// <param name="GatheredLayers">Layers whose weights are whole at once: the one that is computed and the one that is fetched ahead.</param>
/// <param name="IsOffloaded">The shares wait in host memory.</param>
public sealed record Sharding(int Devices, int GatheredLayers, bool IsOffloaded);

public sealed record MemoryQuestion
{
    public required DecoderSpec Spec { get; init; }
    public required WeightHolding Weights { get; init; }
    public required IReadOnlyList<TrainedTensor> Trained { get; init; }

    /// <summary>Bytes of one number of an adapter, or of a module trained beside it.</summary>
    public int TrainedBytes { get; init; } = sizeof(float);

    /// <summary>Of copies trained whole; null: as <see cref="TrainedBytes"/>.</summary>
    public int? CopyBytes { get; init; }
    public required OptimizerMemory Optimizer { get; init; }
    public required KernelTraits Kernels { get; init; }

    /// <summary>The largest micro-batch.</summary>
    public required BatchShape Batch { get; init; }

    /// <summary>The largest batch of an evaluation while training; null: there is none.</summary>
    public BatchShape? Evaluation { get; init; }

    /// <summary>Bytes of one number in arithmetic.</summary>
    public int ComputeBytes { get; init; } = sizeof(float);
    public Recomputation Recomputation { get; init; }

    /// <summary>The adapter starts from the weight (PiSSA, OLoRA), and A₀ and B₀ stay beside A and B.</summary>
    public bool HasOwnStart { get; init; }
    public double LoraDropout { get; init; }

    /// <summary>Embedding and head are one trained matrix.</summary>
    public bool KeepsTie { get; init; }

    /// <summary>A copy of what is trained waits for a bad step before the first checkpoint.</summary>
    public bool HoldsStart { get; init; }

    /// <summary>Bytes of files that are mapped, and resident, while their weights are converted; 0 where weights are used as they are stored.</summary>
    public long ConvertedFileBytes { get; init; }

    /// <summary>What the process has before any weight: program, libraries, thread stacks; on CUDA the context.</summary>
    public long RuntimeBytes { get; init; }

    /// <summary>Tensors of so many bytes come from the block allocator, whose memory is never more than the most that was alive at once; smaller ones, and the products' work space, from malloc, which keeps as much again. 0: nothing is kept.</summary>
    public long BlockBytes { get; init; }

    /// <summary>Null: one device.</summary>
    public Sharding? Sharding { get; init; }

    public bool IsFullyTrained => Trained.Any(t => t.Role == TrainedRole.Base);

    public HeadTraining Head
    {
        get
        {
            bool isTied = Spec.IsHeadTied;
            if (Trained.Any(t => (t.Role == TrainedRole.LowRank && t.ModulePath == ParameterLayout.HeadPath) || (t.Role == TrainedRole.Rows && isTied)))
                return HeadTraining.OfParts;
            return IsFullyTrained || Trained.Any(t => t.Role == TrainedRole.Copy && (t.ModulePath == ParameterLayout.HeadPath || KeepsTie)) ? HeadTraining.Whole : HeadTraining.None;
        }
    }

    /// <summary>Frozen weights and adapters are multiplied by the kernel of our own.</summary>
    public bool HasFusedProducts => Kernels.HasFusedLinears && !IsDora && !HasOwnStart;

    public bool IsDora => Trained.Any(t => t.Role == TrainedRole.Magnitude);

    internal Footprint Tensor(double bytes) => Footprint.OfTensor(bytes, BlockBytes);
}
