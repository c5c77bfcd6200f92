// What one layer keeps of a micro-batch between forward and backward pass, operand by operand.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Planning;

/// <param name="Widths">Of each tensor: numbers of the compute type for each token.</param>
public sealed record KeptOperand(string Name, IReadOnlyList<double> Widths)
{
    /// <summary>Numbers for each token.</summary>
    public double Values => Widths.Sum();
}

/// <summary>
/// A tensor is kept when a gradient that is wanted needs it: the input of a frozen product is not, the input of an adapted one is (for A's gradient).
/// </summary>
public sealed class LayerActivations
{
    private readonly MemoryQuestion question;
    private readonly DecoderSpec spec;
    private readonly KernelTraits kernels;
    private readonly IReadOnlyDictionary<string, long> ranks;
    private readonly bool isFullyTrained;
    private readonly double wide; // an fp32 number in numbers of the compute type

    private LayerActivations(MemoryQuestion question, IReadOnlyDictionary<string, long> ranks, bool isFullyTrained)
    {
        this.question = question;
        this.ranks = ranks;
        this.isFullyTrained = isFullyTrained;
        (spec, kernels) = (question.Spec, question.Kernels);
        wide = (double)sizeof(float) / question.ComputeBytes;
    }

    /// <param name="ranks">r of the layer's modules that have an adapter (q_proj, …).</param>
    public static IReadOnlyList<KeptOperand> Of(MemoryQuestion question, IReadOnlyDictionary<string, long> ranks, bool isFullyTrained) =>
        [.. new LayerActivations(question, ranks, isFullyTrained).All().Where(o => o.Values > 0)];

    private IEnumerable<KeptOperand> All()
    {
        long hidden = spec.HiddenSize;
        long query = (long)spec.HeadCount * spec.HeadDim;
        long key = (long)spec.KeyValueHeadCount * spec.HeadDim;
        long inner = spec.IntermediateSize;
        double pairs = (double)question.Batch.Pairs / question.Batch.Tokens * spec.HeadCount;
        double normInputs = kernels.NormInputs * hidden;
        double normed = spec.NormPlacement == NormPlacement.After ? 0 : normInputs;
        double normedAfter = spec.NormPlacement == NormPlacement.Before ? 0 : Math.Max(1, kernels.NormInputs) * hidden;
        double headNorms = spec.QueryKeyNorm == QueryKeyNorm.None ? 0 : Math.Max(1, kernels.NormInputs);
        double residual = kernels.NormInputs == 0 ? hidden : 0;
        yield return new("input of the layer", [residual]);
        yield return new("norm before attention", [normed]);
        yield return Input("input of q, k, v", hidden, isKept: false, ("q_proj", query), ("k_proj", key), ("v_proj", key), ("qkv_proj", query + (2 * key)));
        yield return new("q and k before their norms", [headNorms * query, headNorms * key]);
        yield return new("q, k, v", [query, key, key]);
        yield return new("attention weights", kernels.KeepsAttentionWeights ? AttentionWeights(pairs) : [spec.HeadCount]);
        yield return new("output of attention", [kernels.KeepsAttentionWeights ? 0 : query]);
        yield return Input("input of o", query, isKept: !kernels.KeepsAttentionWeights, ("o_proj", hidden));
        yield return new("norms after", [normedAfter, normedAfter]);
        yield return new("sum after attention", [residual]);
        yield return new("norm before feed-forward", [normed]);
        yield return Input("input of gate and up", hidden, isKept: false, ("gate_proj", inner), ("up_proj", inner), ("gate_up_proj", 2 * inner));
        yield return new("gate and up", [.. Enumerable.Repeat((double)inner, kernels.GateValues)]);
        yield return Input("input of down", inner, isKept: false, ("down_proj", hidden));
    }

    /// <summary>softmax, in fp32 and narrowed; a cap's tanh.</summary>
    private double[] AttentionWeights(double pairs)
    {
        double copy = kernels.KeepsWideCopies ? pairs * wide : 0;
        return [pairs, copy, spec.AttentionSoftcap is null ? 0 : kernels.KeepsWideCopies ? copy : pairs];
    }

    /// <summary>What modules with one input keep of it, and of their low-rank products.</summary>
    /// <param name="isKept">The input itself is there anyway.</param>
    private KeptOperand Input(string name, long width, bool isKept, params (string Name, long Out)[] modules)
    {
        (string Name, long Out)[] adapted = [.. modules.Where(m => ranks.ContainsKey(m.Name))];
        bool isDropped = question.LoraDropout > 0;
        List<double> kept = [];
        if (isFullyTrained)
        {
            kept.Add(isKept ? 0 : width);
        }
        else if (adapted.Length > 0 && question.HasFusedProducts)
        {
            kept.Add(adapted.Sum(m => ranks[m.Name])); // of dropout nothing: what is dropped is drawn again
        }
        else if (kernels.CopiesAdapterInputs)
        {
            kept.Add(adapted.Length * width * (isDropped ? 2 : 1));
        }
        else
        {
            double input = kernels.KeepsWideCopies ? wide * width : width;
            foreach ((string module, long rows) in adapted)
            {
                kept.Add(ranks[module] * wide);
                if (isDropped)
                    kept.AddRange([width, input]); // the mask, and what it leaves
                else if (kernels.KeepsWideCopies)
                    kept.Add(input);
                if (question.IsDora)
                    kept.AddRange(Enumerable.Repeat(wide * rows, isDropped ? 2 : 1)); // what the magnitudes multiply
            }

            if (adapted.Length > 0 && !isDropped && !kernels.KeepsWideCopies && !isKept)
                kept.Add(width);
        }

        return new KeptOperand(name, kept);
    }
}
