// How many parameters a model and its adapter have, without allocating any.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;

namespace LoraBuild.Engine.Models;

/// <param name="Base">Of the model without an adapter; tied weights once.</param>
/// <param name="Trainable">What an optimizer trains.</param>
/// <param name="AdapterTensors">Tensors in the adapter's file.</param>
/// <param name="ByModule">Trainable parameters by the last component of the module's path, in ordinal order.</param>
public sealed record ParameterCounts(long Base, long Trainable, int AdapterTensors, IReadOnlyDictionary<string, long> ByModule)
{
    /// <summary>Base and what the adapter adds, as PEFT counts.</summary>
    public long All => ByModule.Count == 0 ? Base : Base + Trainable;

    public double TrainablePercent => 100.0 * Trainable / All;

    /// <summary>Full fine-tuning: every parameter is trained.</summary>
    public static ParameterCounts OfFullTraining(ModelConfig config)
    {
        long count = ParameterLayout.All(DecoderFamilies.Describe(config)).Sum(p => p.Count);
        return new ParameterCounts(count, count, 0, new SortedDictionary<string, long>(StringComparer.Ordinal));
    }

    /// <exception cref="Core.Diagnostics.DiagnosticException">LB0520–LB0529: the options do not fit the model.</exception>
    public static ParameterCounts OfLora(ModelConfig config, LoraOptions options)
    {
        DecoderSpec spec = DecoderFamilies.Describe(config);
        long total = ParameterLayout.All(spec).Sum(p => p.Count);
        List<(string Path, IReadOnlyList<long> Shape)> linears =
            [.. ParameterLayout.All(spec).Where(p => p.Kind == ParameterKind.LinearWeight).Select(p => (p.ModulePath, p.Shape))];
        if (spec.IsHeadTied)
            linears.Add((ParameterLayout.HeadPath, [spec.VocabSize, spec.HiddenSize]));
        AdapterPlan plan = AdapterPlan.Create(options, [.. linears.Select(l => l.Path)], ParameterLayout.EmbeddingPath(spec), spec.IsHeadTied, spec.IgnoredFilePrefixes.Count > 0);
        Dictionary<string, IReadOnlyList<long>> shapes = linears.ToDictionary(l => l.Path, l => l.Shape);
        SortedDictionary<string, long> byModule = new(StringComparer.Ordinal);
        int tensors = 0;
        foreach (AdapterTarget target in plan.Targets)
        {
            IReadOnlyList<long> shape = shapes[target.Path];
            Count(target.Path, (target.R * (shape[0] + shape[1])) + (options.UseDora ? shape[0] : 0));
            tensors += options.UseDora ? 3 : 2;
        }

        foreach (string path in plan.SavedModules)
        {
            tensors++;
            // One parameter under both names while the tie is kept.
            if (!(plan.KeepsTie && path == ParameterLayout.HeadPath))
                Count(path, (long)spec.VocabSize * spec.HiddenSize);
        }

        return new ParameterCounts(total, byModule.Values.Sum(), tensors, byModule);

        void Count(string path, long parameters)
        {
            string kind = path[(path.LastIndexOf('.') + 1)..];
            byModule[kind] = byModule.GetValueOrDefault(kind) + parameters;
        }
    }
}
