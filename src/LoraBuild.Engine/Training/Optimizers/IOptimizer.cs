// What the trainer asks of an optimizer, and how one is made from options.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

public enum OptimizerKind
{
    AdamW,
    Sgd,
    Adafactor,
    Lion,

    /// <summary>AdamW with 8-bit moments in blocks (Dettmers et al. 2022).</summary>
    AdamW8Bit,
}

/// <summary>Gradients are collected first (their norm decides about clipping), then one update follows. A parameter without a gradient counts as one with gradient 0.</summary>
public interface IOptimizer : IDisposable
{
    /// <summary>Updates done; t of the formulas.</summary>
    int Steps { get; }

    /// <summary>Takes the gradients that stand at the parameters; returns √(Σ g²) over all of them.</summary>
    double CollectGradients();

    /// <summary>One update with the collected gradients times <paramref name="gradientScale"/>; then the gradients are 0 again.</summary>
    /// <param name="learningRate">Of this step; a parameter's own factor (LoRA+) comes on top.</param>
    void Step(double learningRate, double gradientScale);

    /// <summary>Forgets gradients without an update.</summary>
    void ClearGradients();

    /// <summary>Forgets its state, as if no update had been done.</summary>
    void Reset();

    /// <summary>The state of every parameter as <c>NAME.STATE</c>, with torch's names of states.</summary>
    void Save(string path);

    /// <summary>Exactly what <see cref="Save"/> wrote for the same parameters.</summary>
    void Load(string path);
}

public static class OptimizerFactory
{
    /// <param name="parameters">In a fixed order; the name decides about weight decay (<see cref="WeightDecayRule"/>) and LoRA+'s rate.</param>
    /// <param name="pagingPath">Where a paged state's file is made; not used without <see cref="TrainOptions.IsStatePaged"/>.</param>
    /// <exception cref="Core.Diagnostics.DiagnosticException">LB0640: that file cannot be made.</exception>
    public static IOptimizer Create(TrainOptions options, IReadOnlyList<(string Name, Tensor Value)> parameters, string? pagingPath = null)
    {
        IReadOnlyList<TrainedParameter> trained = [.. parameters.Select(p => TrainedParameter.Create(p.Name, p.Value, options))];
        AdamWRule adamW = new(options.AdamBeta1, options.AdamBeta2, options.AdamEpsilon);
        return options.Optimizer switch
        {
            OptimizerKind.AdamW8Bit => new HostStateAdamW(adamW, trained, is8Bit: true, options.IsStatePaged ? pagingPath : null, options.ResidentStateBytes),
            OptimizerKind.AdamW when options.IsStatePaged => new HostStateAdamW(adamW, trained, is8Bit: false, pagingPath, options.ResidentStateBytes),
            OptimizerKind.AdamW => new ElementwiseOptimizer(adamW, trained),
            OptimizerKind.Sgd => new ElementwiseOptimizer(new SgdRule(options.SgdMomentum), trained),
            OptimizerKind.Lion => new ElementwiseOptimizer(new LionRule(options.AdamBeta1, options.AdamBeta2), trained),
            OptimizerKind.Adafactor => new Adafactor(trained),
            _ => throw new InvalidOperationException($"no optimizer for {options.Optimizer}"),
        };
    }
}
