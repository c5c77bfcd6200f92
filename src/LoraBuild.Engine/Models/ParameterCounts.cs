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
        IReadOnlyList<TrainedTensor> trained = TrainedTensors.OfLora(spec, options);
        SortedDictionary<string, long> byModule = new(StringComparer.Ordinal);
        foreach (TrainedTensor tensor in trained)
        {
            string kind = tensor.ModulePath[(tensor.ModulePath.LastIndexOf('.') + 1)..];
            byModule[kind] = byModule.GetValueOrDefault(kind) + tensor.Count;
        }

        // A kept tie is one parameter and two tensors of the file.
        int tensors = trained.Count + (spec.IsHeadTied && options.EnsureWeightTying && trained.Any(t => t.Role == TrainedRole.Copy) ? 1 : 0);
        long total = ParameterLayout.All(spec).Sum(p => p.Count);
        return new ParameterCounts(total, byModule.Values.Sum(), tensors, byModule);
    }
}
