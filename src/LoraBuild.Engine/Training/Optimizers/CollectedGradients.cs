// The gradients of one step between being taken from the parameters and being used by the update.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>Those of an optimizer's parameters, in their order; they are its own until it clears them.</summary>
internal sealed class CollectedGradients(IReadOnlyList<TrainedParameter> parameters) : IDisposable
{
    private Tensor?[]? taken;

    /// <summary>Of a parameter; null: it has none, which counts as 0.</summary>
    /// <exception cref="InvalidOperationException">None were collected.</exception>
    public Tensor? this[int parameter] => All[parameter];

    private Tensor?[] All => taken ?? throw new InvalidOperationException($"{nameof(IOptimizer.CollectGradients)} comes first");

    /// <summary>Takes what stands at the parameters in place of what was taken before; √(Σ g²) over all of it.</summary>
    public double Collect()
    {
        Release();
        taken = [.. parameters.Select(p => p.Value.grad?.DetachFromDisposeScope())];
        return GradientTensors.Norm(taken);
    }

    /// <summary>Of parameters <paramref name="first"/> up to <paramref name="end"/>, the last not among them.</summary>
    public Tensor?[] Between(int first, int end) => All[first..end];

    /// <exception cref="InvalidOperationException">None were collected.</exception>
    public void Require() => _ = All;

    /// <summary>Forgets what was taken, and what stands at the parameters is 0.</summary>
    public void Clear()
    {
        Release();
        using IDisposable noGrad = no_grad();
        foreach (TrainedParameter parameter in parameters)
        {
            using Tensor? gradient = parameter.Value.grad;
            gradient?.zero_();
        }
    }

    public void Dispose() => Release();

    private void Release()
    {
        foreach (Tensor? gradient in taken ?? [])
            gradient?.Dispose();
        taken = null;
    }
}
