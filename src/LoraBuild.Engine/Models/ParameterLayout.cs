// Names and shapes of all parameters of a decoder, from its description alone.
namespace LoraBuild.Engine.Models;

public enum ParameterKind
{
    Embedding,
    LinearWeight,
    LinearBias,
    NormWeight,
}

/// <param name="Name">Hugging Face name in the state dict, such as <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="Shape">[rows, columns] of weights, [features] of biases and norms.</param>
public sealed record ParameterShape(string Name, IReadOnlyList<long> Shape, ParameterKind Kind)
{
    public long Count => Shape.Aggregate(1L, (product, size) => checked(product * size));

    /// <summary>The module that holds the parameter: the name without its last component.</summary>
    public string ModulePath => Name[..Name.LastIndexOf('.')];
}

/// <summary>The parameters in the order in which transformers names them: embedding, layers, final norm, head.</summary>
public static class ParameterLayout
{
    public const string HeadPath = "lm_head";

    public static string EmbeddingPath(DecoderSpec spec) => $"{spec.ModulePrefix}.embed_tokens";

    public static string LayerPath(DecoderSpec spec, int layer) => $"{spec.ModulePrefix}.layers.{layer}";

    /// <summary>All linear weights but the head's.</summary>
    public static bool IsLayerLinear(ParameterShape parameter) => parameter.Kind == ParameterKind.LinearWeight && parameter.ModulePath != HeadPath;

    /// <summary>All parameters; of a tied model the head is left out, it is the embedding.</summary>
    public static IEnumerable<ParameterShape> All(DecoderSpec spec)
    {
        yield return new($"{EmbeddingPath(spec)}.weight", [spec.VocabSize, spec.HiddenSize], ParameterKind.Embedding);
        for (int i = 0; i < spec.Layers.Count; i++)
        {
            foreach (ParameterShape parameter in Layer(spec, LayerPath(spec, i)))
                yield return parameter;
        }

        yield return Norm($"{spec.ModulePrefix}.norm", spec.HiddenSize);
        if (!spec.IsHeadTied)
            yield return new($"{HeadPath}.weight", [spec.VocabSize, spec.HiddenSize], ParameterKind.LinearWeight);
    }

    private static IEnumerable<ParameterShape> Layer(DecoderSpec spec, string path)
    {
        long queryWidth = (long)spec.HeadCount * spec.HeadDim;
        long keyWidth = (long)spec.KeyValueHeadCount * spec.HeadDim;
        string attention = $"{path}.self_attn";
        string mlp = $"{path}.mlp";
        IEnumerable<ParameterShape> linears = spec.IsQkvFused
            ? Linear($"{attention}.qkv_proj", queryWidth + (2 * keyWidth), spec.HiddenSize, spec.HasQkvBias)
            : [
                .. Linear($"{attention}.q_proj", queryWidth, spec.HiddenSize, spec.HasQkvBias),
                .. Linear($"{attention}.k_proj", keyWidth, spec.HiddenSize, spec.HasQkvBias),
                .. Linear($"{attention}.v_proj", keyWidth, spec.HiddenSize, spec.HasQkvBias),
            ];
        linears = linears.Concat(Linear($"{attention}.o_proj", spec.HiddenSize, queryWidth, spec.HasOutputBias));
        foreach (ParameterShape parameter in linears)
            yield return parameter;
        if (spec.QueryKeyNorm != QueryKeyNorm.None)
        {
            bool isPerHead = spec.QueryKeyNorm == QueryKeyNorm.PerHead;
            yield return Norm($"{attention}.q_norm", isPerHead ? spec.HeadDim : queryWidth);
            yield return Norm($"{attention}.k_norm", isPerHead ? spec.HeadDim : keyWidth);
        }

        linears = spec.IsGateUpFused
            ? Linear($"{mlp}.gate_up_proj", 2L * spec.IntermediateSize, spec.HiddenSize, spec.HasMlpBias)
            : [
                .. Linear($"{mlp}.gate_proj", spec.IntermediateSize, spec.HiddenSize, spec.HasMlpBias),
                .. Linear($"{mlp}.up_proj", spec.IntermediateSize, spec.HiddenSize, spec.HasMlpBias),
            ];
        linears = linears.Concat(Linear($"{mlp}.down_proj", spec.HiddenSize, spec.IntermediateSize, spec.HasMlpBias));
        foreach (ParameterShape parameter in linears)
            yield return parameter;
        foreach (string norm in NormNames(spec.NormPlacement))
            yield return Norm($"{path}.{norm}", spec.HiddenSize);
    }

    private static string[] NormNames(NormPlacement placement) => placement switch
    {
        NormPlacement.Before => ["input_layernorm", "post_attention_layernorm"],
        NormPlacement.After => ["post_attention_layernorm", "post_feedforward_layernorm"],
        _ => ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"],
    };

    private static ParameterShape[] Linear(string path, long rows, long columns, bool hasBias)
    {
        ParameterShape weight = new($"{path}.weight", [rows, columns], ParameterKind.LinearWeight);
        return hasBias ? [weight, new($"{path}.bias", [rows], ParameterKind.LinearBias)] : [weight];
    }

    private static ParameterShape Norm(string path, long width) => new($"{path}.weight", [width], ParameterKind.NormWeight);
}
