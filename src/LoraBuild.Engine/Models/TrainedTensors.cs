// What an optimizer trains, by module and shape, from descriptions alone.
using LoraBuild.Engine.Adapters;

namespace LoraBuild.Engine.Models;

public enum TrainedRole
{
    /// <summary>A or B of a low-rank update.</summary>
    LowRank,

    /// <summary>DoRA's row norms.</summary>
    Magnitude,

    /// <summary>A whole module trained beside the adapter (<c>modules_to_save</c>); the base keeps its own.</summary>
    Copy,

    /// <summary>Rows of the embedding (<c>trainable_token_indices</c>), of a tied head too.</summary>
    Rows,

    /// <summary>A bias trained beside the adapter.</summary>
    Bias,

    /// <summary>A weight of the model itself, in full fine-tuning.</summary>
    Base,
}

/// <param name="ModulePath">Such as <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="Shape">[rows, columns], or [features].</param>
public sealed record TrainedTensor(string ModulePath, IReadOnlyList<long> Shape, TrainedRole Role)
{
    public long Count => Shape.Aggregate(1L, (product, size) => checked(product * size));
}

public static class TrainedTensors
{
    public static IReadOnlyList<TrainedTensor> OfFullTraining(DecoderSpec spec) =>
        [.. ParameterLayout.All(spec).Select(p => new TrainedTensor(p.ModulePath, p.Shape, TrainedRole.Base))];

    /// <exception cref="Core.Diagnostics.DiagnosticException">LB0520–LB0529: the options do not fit the model.</exception>
    public static IReadOnlyList<TrainedTensor> OfLora(DecoderSpec spec, LoraOptions options)
    {
        List<(string Path, IReadOnlyList<long> Shape)> linears =
            [.. ParameterLayout.All(spec).Where(p => p.Kind == ParameterKind.LinearWeight).Select(p => (p.ModulePath, p.Shape))];
        if (spec.IsHeadTied)
            linears.Add((ParameterLayout.HeadPath, [spec.VocabSize, spec.HiddenSize]));
        AdapterPlan plan = AdapterPlan.Create(options, [.. linears.Select(l => l.Path)], ParameterLayout.EmbeddingPath(spec), spec.IsHeadTied, spec.IgnoredFilePrefixes.Count > 0);
        Dictionary<string, IReadOnlyList<long>> shapes = linears.ToDictionary(l => l.Path, l => l.Shape);
        List<TrainedTensor> trained = [];
        foreach (AdapterTarget target in plan.Targets)
        {
            IReadOnlyList<long> shape = shapes[target.Path];
            trained.Add(new TrainedTensor(target.Path, [target.R, shape[1]], TrainedRole.LowRank));
            trained.Add(new TrainedTensor(target.Path, [shape[0], target.R], TrainedRole.LowRank));
            if (options.UseDora)
                trained.Add(new TrainedTensor(target.Path, [shape[0]], TrainedRole.Magnitude));
        }

        if (options.TrainableTokenIndices.Count > 0)
            trained.Add(new TrainedTensor(ParameterLayout.EmbeddingPath(spec), [options.TrainableTokenIndices.Count, spec.HiddenSize], TrainedRole.Rows));
        if (options.Bias != "none")
        {
            HashSet<string> adapted = [.. plan.Targets.Select(t => t.Path)];
            trained.AddRange(ParameterLayout.All(spec).Where(p => p.Kind == ParameterKind.LinearBias && (options.Bias == "all" || adapted.Contains(p.ModulePath))).Select(p => new TrainedTensor(p.ModulePath, p.Shape, TrainedRole.Bias)));
        }

        // One parameter under both names while the tie is kept.
        foreach (string path in plan.SavedModules.Where(p => !(plan.KeepsTie && p == ParameterLayout.HeadPath)))
            trained.Add(new TrainedTensor(path, [spec.VocabSize, spec.HiddenSize], TrainedRole.Copy));
        return trained;
    }
}
