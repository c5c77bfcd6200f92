// Token embeddings with transformers' padding_idx semantics.
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models.Kernels;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>x = W[ids]. The row of the padding id gets no gradient from look-ups, anywhere in the text.</summary>
public sealed class EmbeddingLayer
{
    private readonly int? paddingId;
    private readonly WeightSlot weight;

    internal EmbeddingLayer(string path, WeightSlot weight, int? paddingId)
    {
        Path = path;
        this.weight = weight;
        this.paddingId = paddingId;
    }

    public string Path { get; }

    /// <summary>[vocab, hidden], the model's own, however it is held.</summary>
    public LinearWeight BaseMatrix => weight.BaseMatrix;

    /// <summary>The weight in use, without an adapter's low-rank part.</summary>
    public LinearWeight Matrix => weight.Matrix;

    /// <summary>A low-rank update of the rows that are looked up; null: none.</summary>
    internal LoraEmbedding? Adapter { get; set; }

    /// <summary>Rows that are trained one by one; null: none.</summary>
    internal TrainedTokenRows? TrainedRows { get; set; }

    /// <param name="ids">int64 [P], each in 0 … vocab − 1.</param>
    /// <returns>[P, hidden].</returns>
    public Tensor Forward(Tensor ids)
    {
        using var measured = StepClock.Embedding();
        if (TrainedRows is { IsEnabled: true } trained)
        {
            using Tensor looked = LookUp(ids);
            return trained.Substitute(looked, ids);
        }

        if (Adapter is not { IsEnabled: true } adapter)
            return LookUp(ids);
        using Tensor rows = LookUp(ids);
        return adapter.AddTo(rows, ids);
    }

    private Tensor LookUp(Tensor ids)
    {
        LinearWeight matrix = Matrix;
        if (matrix.Plain is not { requires_grad: true } || !is_grad_enabled() || paddingId is not int padding)
            return matrix.Rows(ids);
        // Padding ids look up a constant copy of their row: same value, no gradient.
        using Tensor rows = matrix.Rows(ids); // [P, hidden]
        using Tensor constant = rows.detach();
        using Tensor isPadding = ids.eq(padding);
        using Tensor column = isPadding.unsqueeze(1); // [P, 1]
        return where(column, constant, rows);
    }
}
