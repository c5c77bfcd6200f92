// Single rows of the embedding that are trained (PEFT's trainable_token_indices): new tokens without a copy of the whole matrix.
using LoraBuild.Engine.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Adapters;

/// <summary>x = T[k] for the k-th trained token, W[id] for all others. On a tied head the same rows stand in the logits' weight; that weight is put together for each batch and let go again.</summary>
internal sealed class TrainedTokenRows : ILinearAdapter, IDisposable
{
    private readonly AdapterSwitch shared;
    private readonly Tensor ids; // int64 [n]
    private readonly Tensor placeOf; // int64 [vocab]: k, or −1

    /// <param name="tokens">n different ids.</param>
    /// <param name="rows">[n, hidden].</param>
    public TrainedTokenRows(IReadOnlyList<int> tokens, Parameter rows, int vocabSize, AdapterSwitch shared)
    {
        this.shared = shared;
        Rows = rows;
        long[] places = new long[vocabSize];
        Array.Fill(places, -1);
        for (int k = 0; k < tokens.Count; k++)
            places[tokens[k]] = k;
        placeOf = tensor(places, device: rows.device).DetachFromDisposeScope();
        ids = tensor(tokens.Select(t => (long)t).ToArray(), device: rows.device).DetachFromDisposeScope();
    }

    /// <summary>T [n, hidden].</summary>
    public Parameter Rows { get; }

    public bool IsEnabled => shared.IsEnabled;

    /// <param name="rows">[P, hidden], W[ids].</param>
    /// <param name="tokens">int64 [P].</param>
    /// <returns>[P, hidden], a new tensor.</returns>
    public Tensor Substitute(Tensor rows, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        Tensor places = placeOf.index_select(0, tokens); // [P]
        Tensor trained = Rows.index_select(0, places.clamp_min(0)).to_type(rows.dtype);
        return where(places.ge(0).unsqueeze(1), trained, rows).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, LinearWeight weight, Tensor? bias)
    {
        using Tensor effective = EffectiveWeight(weight);
        return nn.functional.linear(x, effective, bias);
    }

    /// <inheritdoc/>
    public Tensor EffectiveWeight(LinearWeight weight)
    {
        using var scope = NewDisposeScope();
        Tensor whole = weight.Whole(weight.Plain?.dtype ?? Rows.dtype);
        return whole.index_copy(0, ids, Rows.to_type(whole.dtype)).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        Rows.Dispose();
        ids.Dispose();
        placeOf.Dispose();
    }
}
