// The tensors of one attached adapter, owned together.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Adapters;

/// <param name="modules">The low-rank updates of linear modules, in the order of the model.</param>
internal sealed class AdapterTensors(IReadOnlyList<LoraLinear> modules) : IDisposable
{
    private readonly List<(string Name, Tensor Value)> replaced = [];

    public IReadOnlyList<LoraLinear> Modules => modules;

    /// <summary>Values in place of the model's, by the names of its weights; under a kept tie two names hold one tensor.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> Replaced => replaced;

    public LoraEmbedding? Embedding { get; init; }

    /// <summary>Of the embedding, and of a head that is tied to it.</summary>
    public TrainedTokenRows? TokenRows { get; init; }

    /// <summary>Of a head of its own.</summary>
    public TrainedTokenRows? HeadRows { get; init; }

    /// <summary>False where a part came from a file that saving would not write again.</summary>
    public bool IsWritable { get; init; } = true;

    public void Replace(string name, Tensor value) => replaced.Add((name, value));

    public void Dispose()
    {
        foreach (LoraLinear module in modules)
            module.Dispose();
        Embedding?.Dispose();
        TokenRows?.Dispose();
        HeadRows?.Dispose();
        foreach (Tensor value in replaced.Select(r => r.Value).Distinct())
            value.Dispose();
    }
}
