// A forward pass whose gradient is wanted, whatever it keeps for that.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Recomputation;

/// <summary>Made by <see cref="CausalLM.TrainingPass"/>; one backward pass belongs to it.</summary>
internal interface ITrainingPass
{
    /// <summary>[P, hidden] after the final norm.</summary>
    Tensor Hidden { get; }

    /// <summary>Adds gradients to everything trained.</summary>
    /// <param name="roots"><see cref="Hidden"/>, other tensors of the same step (the head's weight), or both; each needs a gradient.</param>
    /// <param name="gradients">Of each root.</param>
    void Backward(IReadOnlyList<Tensor> roots, IReadOnlyList<Tensor> gradients);
}

/// <summary>Autograd's own way: the graph of all layers is in memory until the backward pass.</summary>
internal sealed class WholeGraphPass(Tensor hidden) : ITrainingPass
{
    public Tensor Hidden => hidden;

    public void Backward(IReadOnlyList<Tensor> roots, IReadOnlyList<Tensor> gradients) => autograd.backward([.. roots], [.. gradients]);
}
