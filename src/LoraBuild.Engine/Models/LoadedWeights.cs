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

    public void Dispose()
    {
        foreach (Tensor tensor in Tensors.Values)
            tensor.Dispose();
        foreach (IFrozenWeight weight in Frozen.Values)
            weight.Dispose();
    }
}
