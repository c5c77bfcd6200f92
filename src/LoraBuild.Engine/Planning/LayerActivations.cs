// What one layer keeps of a micro-batch between forward and backward pass, operand by operand.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Planning;

/// <param name="Values">Numbers for each token.</param>
public sealed record KeptOperand(string Name, double Values);

/// <summary>
/// A tensor is kept when a gradient that is wanted needs it: the input of a frozen product is not, the input of an adapted one is (for A's gradient).
/// </summary>
public static class LayerActivations
{
    /// <param name="adapted">Names of the layer's modules that have an adapter or are trained (q_proj, …).</param>
    /// <param name="dropout">Of the adapters' inputs: each module then keeps a mask and a masked input of its own.</param>
    public static IReadOnlyList<KeptOperand> Of(DecoderSpec spec, KernelTraits kernels, IReadOnlySet<string> adapted, bool isFullyTrained, double dropout, BatchShape batch)
    {
        long hidden = spec.HiddenSize;
        long query = (long)spec.HeadCount * spec.HeadDim;
        long key = (long)spec.KeyValueHeadCount * spec.HeadDim;
        long inner = spec.IntermediateSize;
        double pairs = (double)batch.Pairs / batch.Tokens * spec.HeadCount;
        bool hasNormBefore = spec.NormPlacement != NormPlacement.After;
        bool hasNormAfter = spec.NormPlacement != NormPlacement.Before;
        double norm = kernels.NormInputs * hidden;
        List<KeptOperand> kept =
        [
            new("input of the layer", kernels.NormInputs == 0 ? hidden : 0),
            new("norm before attention", hasNormBefore ? norm : 0),
            new("input of q, k, v", Inputs(hidden, "q_proj", "k_proj", "v_proj", "qkv_proj")),
            new("q and k before their norms", spec.QueryKeyNorm == QueryKeyNorm.None ? 0 : Math.Max(1, kernels.NormInputs) * (query + key)),
            new("q, k, v", query + (2 * key)),
            new("attention weights", kernels.KeepsAttentionWeights ? pairs * (spec.AttentionSoftcap is null ? 1 : 2) : spec.HeadCount),
            new("output of attention", kernels.KeepsAttentionWeights ? Inputs(query, "o_proj") : kernels.RecomputesInputs ? query + Inputs(query, "o_proj") : query + (kernels.CopiesAdapterInputs ? Inputs(query, "o_proj") : 0)),
            new("norms after", hasNormAfter ? 2 * Math.Max(1, kernels.NormInputs) * hidden : 0),
            new("sum after attention", kernels.NormInputs == 0 ? hidden : 0),
            new("norm before feed-forward", hasNormBefore ? norm : 0),
            new("input of gate and up", Inputs(hidden, "gate_proj", "up_proj", "gate_up_proj")),
            new("gate and up", kernels.GateValues * inner),
            new("input of down", Inputs(inner, "down_proj")),
        ];
        return [.. kept.Where(k => k.Values > 0)];

        double Inputs(long width, params string[] modules)
        {
            if (isFullyTrained)
                return width;
            int count = modules.Count(adapted.Contains);
            if (kernels.RecomputesInputs)
                return dropout > 0 ? count * width : 0;
            return count == 0 ? 0 : dropout > 0 ? 2.0 * count * width : kernels.CopiesAdapterInputs ? count * width : width;
        }
    }
}
