// The weights of a model in memory: plain tensors, and matrices that are held otherwise.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Each parameter of <see cref="ParameterLayout.All"/> stands in one of both, in its order.</summary>
/// <param name="Tensors">By Hugging Face name.</param>
/// <param name="Frozen">Weights of linear modules, and an embedding.</param>
internal sealed record LoadedWeights(OrderedDictionary<string, Tensor> Tensors, OrderedDictionary<string, IFrozenWeight> Frozen) : IDisposable
{
    public LoadedWeights(OrderedDictionary<string, Tensor> tensors)
        : this(tensors, [])
    {
    }

    public LinearWeight this[string name] => Tensors.TryGetValue(name, out Tensor? plain) ? plain : new LinearWeight(Frozen[name]);

    public long ParameterCount => Tensors.Values.Sum(t => t.NumberOfElements) + Frozen.Values.Sum(w => w.OutFeatures * w.InFeatures);

    /// <summary>Gives back what stands under these names; it may be disposed of again.</summary>
    public void Release(Func<string, bool> isReleased)
    {
        foreach ((string name, Tensor tensor) in Tensors)
        {
            if (isReleased(name))
                tensor.Dispose();
        }

        foreach ((string name, IFrozenWeight weight) in Frozen)
        {
            if (isReleased(name))
                weight.Dispose();
        }
    }

    public void Dispose() => Release(_ => true);
}
