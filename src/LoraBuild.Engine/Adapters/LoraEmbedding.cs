// The low-rank update of the input embedding, as an adapter's file has it.
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Adapters;

/// <summary>x = W[id] + s · B A[:, id] (PEFT's <c>lora_embedding_A</c>, <c>lora_embedding_B</c>). It is read and merged; training one is not built.</summary>
internal sealed class LoraEmbedding(AdapterTarget target, Parameter a, Parameter b, AdapterSwitch shared) : IDisposable
{
    public AdapterTarget Target => target;

    /// <summary>[r, vocabulary].</summary>
    public Parameter A => a;

    /// <summary>[hidden, r].</summary>
    public Parameter B => b;

    public bool IsEnabled => shared.IsEnabled;

    /// <param name="rows">[P, hidden], W[ids].</param>
    /// <param name="ids">int64 [P].</param>
    /// <returns>[P, hidden], a new tensor of the type of <paramref name="rows"/>.</returns>
    public Tensor AddTo(Tensor rows, Tensor ids)
    {
        using var scope = NewDisposeScope();
        Tensor low = A.index_select(1, ids).t(); // [P, r]
        return rows.to_type(A.dtype).addmm(low, B.t(), 1, (float)Target.Scaling).to_type(rows.dtype).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
    }
}
