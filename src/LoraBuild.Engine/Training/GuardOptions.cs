// What happens when a step goes wrong, and what "best" is judged by.
namespace LoraBuild.Engine.Training;

public enum OnNan
{
    /// <summary>Back to the last checkpoint (or the start), with a lower rate.</summary>
    Rollback,

    /// <summary>The step is done without an update.</summary>
    Skip,

    Stop,
}

/// <summary>A step is bad when its loss or gradient is not finite, its loss is a spike, or its gradient norm explodes.</summary>
public sealed record GuardOptions
{
    public OnNan OnNan { get; init; }

    /// <summary>A loss above this many times the mean of the last ten is a spike; null: none is.</summary>
    public double? LossSpike { get; init; }

    /// <summary>A gradient norm above this (before clipping) is an explosion; null: none is.</summary>
    public double? GradNorm { get; init; }

    /// <summary>After so many the run fails.</summary>
    public int MostInterventions { get; init; } = 3;

    /// <summary>What a rollback multiplies the rate with.</summary>
    public double RateFactor { get; init; } = 0.5;
}

/// <summary>transformers' metric_for_best_model, of what is measured here.</summary>
public enum BestMetric
{
    EvalLoss,
    EvalPerplexity,
    EvalAccuracies,
    EvalMargins,
}
