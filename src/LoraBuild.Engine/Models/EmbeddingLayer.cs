// Token embeddings with transformers' padding_idx semantics.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>x = W[ids]. The row of the padding id gets no gradient from look-ups, anywhere in the text.</summary>
public sealed class EmbeddingLayer
{
    private readonly int? paddingId;

    internal EmbeddingLayer(string path, Tensor weight, int? paddingId)
    {
        Path = path;
        BaseWeight = weight;
        this.paddingId = paddingId;
    }

    public string Path { get; }

    /// <summary>[vocab, hidden].</summary>
    public Tensor BaseWeight { get; }

    /// <inheritdoc cref="LinearLayer.Replacement"/>
    public ReplacedWeight? Replacement { get; internal set; }

    public Tensor Weight => Replacement is { IsEnabled: true } replacement ? replacement.Value : BaseWeight;

    /// <param name="ids">int64 [P], each in 0 … vocab − 1.</param>
    /// <returns>[P, hidden].</returns>
    public Tensor Forward(Tensor ids)
    {
        Tensor weight = Weight;
        if (!weight.requires_grad || !is_grad_enabled() || paddingId is not int padding)
            return weight.index_select(0, ids);
        // Padding ids look up a constant copy of their row: same value, no gradient.
        using Tensor rows = weight.index_select(0, ids); // [P, hidden]
        using Tensor constant = rows.detach();
        using Tensor isPadding = ids.eq(padding);
        using Tensor column = isPadding.unsqueeze(1); // [P, 1]
        return where(column, constant, rows);
    }
}
