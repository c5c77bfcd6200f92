// How a run was made to fit into memory, beyond what its recipe says.
namespace LoraBuild.Engine.Training.Memory;

/// <summary>A rung of the ladder that a run climbs down when memory runs out, or what a search found.</summary>
public sealed record MemoryFit
{
    /// <summary>Most tokens of a pass; a longer document has one for itself. Null: passes are the recipe's micro-batches.</summary>
    public int? PassTokens { get; init; }

    /// <summary>Layers are computed again in the backward pass although the recipe does not say so.</summary>
    public bool RecomputesLayers { get; init; }

    /// <summary>Most tokens of an evaluation batch; null: as the recipe says.</summary>
    public int? EvaluationTokens { get; init; }
}

/// <param name="FromStep">The first step (from 0) that was done like this.</param>
public sealed record MemoryRung(int FromStep, MemoryFit Fit);
