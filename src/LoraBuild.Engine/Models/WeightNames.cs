// What a model's parameters are called in its files: multimodal checkpoints exist with three layouts of the same keys.
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Models;

/// <param name="filePrefix">Stands in the files in place of <see cref="DecoderSpec.ModulePrefix"/>.</param>
/// <param name="head">Name of the head's weight in the files.</param>
internal sealed class WeightNames(DecoderSpec spec, string filePrefix, string head)
{
    /// <summary>The head inside a multimodal file, where it is stored.</summary>
    public const string NestedHead = "language_model.lm_head.weight";

    private const string Head = $"{ParameterLayout.HeadPath}.weight";

    /// <summary>The layout in which these files came.</summary>
    public static WeightNames Of(ModelFiles files, DecoderSpec spec) => new(
        spec,
        spec.FilePrefixes.FirstOrDefault(p => files.Tensors.ContainsKey($"{p}.embed_tokens.weight")) ?? spec.FilePrefixes[0],
        files.Tensors.ContainsKey(NestedHead) && !files.Tensors.ContainsKey(Head) ? NestedHead : Head);

    /// <summary>The layout of a model that came without files.</summary>
    public static WeightNames Default(DecoderSpec spec) => new(spec, spec.FilePrefixes[0], Head);

    /// <param name="name">As <see cref="ParameterLayout"/> has it.</param>
    public string InFiles(string name) => name switch
    {
        Head => head,
        _ when name.StartsWith(spec.ModulePrefix + '.', StringComparison.Ordinal) => filePrefix + name[spec.ModulePrefix.Length..],
        _ => name,
    };

    /// <summary>True for a stored tensor that belongs to a part which is not built, such as a vision tower.</summary>
    public static bool IsOfAnotherPart(string storedName, DecoderSpec spec) =>
        spec.IgnoredFilePrefixes.Any(p => storedName.StartsWith(p + '.', StringComparison.Ordinal));
}
