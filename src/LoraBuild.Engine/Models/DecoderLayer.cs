// One layer: attention and feed-forward around the residual stream.
using LoraBuild.Engine.Models.Kernels;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

internal sealed class DecoderLayer
{
    private readonly DecoderSpec spec;
    private readonly LayerSpec layer;
    private readonly int index;
    private readonly LinearLayer[] projections; // q, k, v, or the fused one
    private readonly LinearLayer output;
    private readonly LinearLayer[] gates; // gate, up, or the fused one
    private readonly LinearLayer down;
    private readonly WeightSlot? queryNorm;
    private readonly WeightSlot? keyNorm;
    private readonly WeightSlot? attentionNormBefore;
    private readonly WeightSlot? attentionNormAfter;
    private readonly WeightSlot? mlpNormBefore;
    private readonly WeightSlot? mlpNormAfter;

    /// <param name="weights">All weights of the model by name.</param>
    public DecoderLayer(DecoderSpec spec, int index, IReadOnlyDictionary<string, WeightSlot> weights)
    {
        this.spec = spec;
        this.index = index;
        layer = spec.Layers[index];
        string path = ParameterLayout.LayerPath(spec, index);
        LinearLayer Linear(string name) => new($"{path}.{name}", weights[$"{path}.{name}.weight"], weights.GetValueOrDefault($"{path}.{name}.bias"));
        WeightSlot? Norm(string name) => weights.GetValueOrDefault($"{path}.{name}.weight");

        projections = spec.IsQkvFused
            ? [Linear("self_attn.qkv_proj")]
            : [Linear("self_attn.q_proj"), Linear("self_attn.k_proj"), Linear("self_attn.v_proj")];
        output = Linear("self_attn.o_proj");
        gates = spec.IsGateUpFused ? [Linear("mlp.gate_up_proj")] : [Linear("mlp.gate_proj"), Linear("mlp.up_proj")];
        down = Linear("mlp.down_proj");
        queryNorm = Norm("self_attn.q_norm");
        keyNorm = Norm("self_attn.k_norm");
        switch (spec.NormPlacement)
        {
            case NormPlacement.Before:
                attentionNormBefore = Norm("input_layernorm");
                mlpNormBefore = Norm("post_attention_layernorm");
                break;
            case NormPlacement.After:
                attentionNormAfter = Norm("post_attention_layernorm");
                mlpNormAfter = Norm("post_feedforward_layernorm");
                break;
            default:
                attentionNormBefore = Norm("input_layernorm");
                attentionNormAfter = Norm("post_attention_layernorm");
                mlpNormBefore = Norm("pre_feedforward_layernorm");
                mlpNormAfter = Norm("post_feedforward_layernorm");
                break;
        }
    }

    /// <summary>In the order of the model's modules.</summary>
    public IEnumerable<LinearLayer> Linears => [.. projections, output, .. gates, down];

    /// <param name="x">[P, hidden]; stays as it is.</param>
    /// <returns>[P, hidden], attached to the caller's dispose scope.</returns>
    public Tensor Forward(Tensor x, ForwardPass pass)
    {
        using var scope = NewDisposeScope();
        Tensor attended = AddTo(x, Attend(Input(x, attentionNormBefore), pass), attentionNormAfter);
        return AddTo(attended, FeedForward(Input(attended, mlpNormBefore)), mlpNormAfter).MoveToOuterDisposeScope();
    }

    private LinearInput Input(Tensor x, WeightSlot? norm) =>
        norm is null ? LinearInput.Plain(x) : LinearInput.Normed(x, norm.Value, spec.NormEps, spec.HasUnitOffsetNorm);

    /// <summary>x + scale · norm(part). <paramref name="part"/> comes fresh from a product, which does not keep its result: it is written into.</summary>
    private Tensor AddTo(Tensor x, Tensor part, WeightSlot? normAfter)
    {
        Tensor sum = part;
        if (normAfter is not null)
        {
            sum = RmsNorm.Apply(part, normAfter.Value, spec.NormEps, spec.HasUnitOffsetNorm);
            part.Dispose();
        }

        if (spec.ResidualScale != 1)
            sum = sum.mul_(spec.ResidualScale);
        return sum.add_(x);
    }

    private Tensor Attend(LinearInput x, ForwardPass pass)
    {
        using var scope = NewDisposeScope();
        (Tensor query, Tensor key, Tensor value) = Project(x);
        (Tensor turnedQuery, Tensor turnedKey) = Turned(query, key, pass);
        Tensor mixed; // [P, heads · headDim]
        if (pass.Cache is null)
        {
            mixed = Attention.Packed(turnedQuery, turnedKey, value, pass.Batch.Runs, pass.Masks, spec.AttentionScale, spec.AttentionSoftcap, layer.Window);
        }
        else
        {
            (Tensor keys, Tensor values) = pass.Cache.Append(index, turnedKey, value);
            mixed = Attention.Cached(turnedQuery, keys, values, pass.Masks, spec.AttentionScale, spec.AttentionSoftcap, layer.Window);
        }

        return output.Forward(mixed).MoveToOuterDisposeScope();
    }

    /// <summary>Disposes what it is given.</summary>
    private (Tensor Query, Tensor Key) Turned(Tensor query, Tensor key, ForwardPass pass)
    {
        if (layer.Rope is not int rope)
            return (query, key);
        (Tensor cos, Tensor sin) = pass.Ropes[rope];
        (Tensor, Tensor) turned = (Rope.Apply(query, cos, sin), Rope.Apply(key, cos, sin));
        query.Dispose();
        key.Dispose();
        return turned;
    }

    /// <returns>query [P, heads, headDim], key and value [P, keyValueHeads, headDim], before the rotation.</returns>
    private (Tensor Query, Tensor Key, Tensor Value) Project(LinearInput x)
    {
        long queryWidth = (long)spec.HeadCount * spec.HeadDim;
        long keyWidth = (long)spec.KeyValueHeadCount * spec.HeadDim;
        Tensor query, key, value;
        if (spec.IsQkvFused)
        {
            Tensor fused = LinearGroup.Forward(x, projections)[0]; // [P, q | k | v]
            query = fused.narrow(1, 0, queryWidth);
            key = fused.narrow(1, queryWidth, keyWidth);
            value = fused.narrow(1, queryWidth + keyWidth, keyWidth);
        }
        else
        {
            Tensor[] parts = LinearGroup.Forward(x, projections);
            (query, key, value) = (parts[0], parts[1], parts[2]);
        }

        if (spec.QueryKeyNorm == QueryKeyNorm.WholeProjection)
        {
            query = RmsNorm.Apply(query, queryNorm!.Value, spec.NormEps, spec.HasUnitOffsetNorm);
            key = RmsNorm.Apply(key, keyNorm!.Value, spec.NormEps, spec.HasUnitOffsetNorm);
        }

        query = Heads(query);
        key = Heads(key);
        if (spec.QueryKeyNorm == QueryKeyNorm.PerHead)
        {
            query = RmsNorm.Apply(query, queryNorm!.Value, spec.NormEps, spec.HasUnitOffsetNorm);
            key = RmsNorm.Apply(key, keyNorm!.Value, spec.NormEps, spec.HasUnitOffsetNorm);
        }

        return (query, key, Heads(value));
    }

    private Tensor Heads(Tensor x) => x.view(x.shape[0], -1, spec.HeadDim);

    private Tensor FeedForward(LinearInput x)
    {
        using var scope = NewDisposeScope();
        Tensor[] parts = LinearGroup.Forward(x, gates); // gate and up [P, intermediate] each, or one [P, gate | up]
        LinearInput gated = spec.IsGateUpFused ? LinearInput.GatedHalves(parts[0], spec.Activation) : LinearInput.Gated(parts[0], parts[1], spec.Activation);
        return LinearGroup.Forward(gated, down)[0].MoveToOuterDisposeScope();
    }
}
