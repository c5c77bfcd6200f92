// The base model as merging sees it: every weight a tensor, also one that is stored, or was seen by training, as codes.
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;

namespace LoraBuild.Engine.Merging;

internal sealed class MergeBase
{
    private readonly ModelFiles files;
    private readonly Dictionary<string, Func<PackedArrays>> compressed = new(StringComparer.Ordinal);

    /// <param name="config">Its dtype is that of weights whose codes do not say what they were.</param>
    /// <param name="quantization">The linear weights of the layers are taken as they are after this; null: as they are stored.</param>
    public MergeBase(ModelFiles files, ModelConfig config, QuantizationOptions? quantization)
    {
        this.files = files;
        SortedDictionary<string, TensorEntry> tensors = new(StringComparer.Ordinal);
        foreach ((string name, TensorEntry entry) in files.Tensors)
        {
            if (PackedWeight.Find(files, name) is { } packed)
            {
                TensorDtype dtype = packed.StoredAs ?? config.Dtype ?? TensorDtype.F16;
                tensors.Add(name, new TensorEntry(name, dtype, packed.Shape, 0, packed.Count * dtype.ByteSize()));
                compressed.Add(name, () => packed.ReadPacked(files));
                IsQuantised = true;
            }
            else if (!PackedWeight.IsPart(files, name))
            {
                tensors.Add(name, entry);
            }
        }

        Tensors = tensors;
        if (quantization is not null)
            AddDecoded(config, quantization);
    }

    public string Directory => files.Directory;

    /// <summary>The files hold codes.</summary>
    public bool IsQuantised { get; }

    /// <summary>By name, in ordinal order; of a weight that is stored as codes the shape and type that it stands for.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    public SafetensorsFile FileOf(string name) => files.FileOf(name);

    /// <summary>Makes the codes of a weight whose values are the decoded ones; null: its values are those of the file.</summary>
    public Func<PackedArrays>? Compressed(string name) => compressed.GetValueOrDefault(name);

    /// <summary>What loading quantises.</summary>
    private void AddDecoded(ModelConfig config, QuantizationOptions quantization)
    {
        DecoderSpec spec = DecoderFamilies.Describe(config);
        WeightNames names = WeightNames.Of(files, spec);
        foreach (ParameterShape parameter in ParameterLayout.All(spec).Where(p => p.Kind == ParameterKind.LinearWeight && p.ModulePath != ParameterLayout.HeadPath))
        {
            string name = names.InFiles(parameter.Name);
            if (Tensors.TryGetValue(name, out TensorEntry? entry) && !compressed.ContainsKey(name))
                compressed.Add(name, () => PackedArrays.Encode(quantization.Code, files.ReadFloat32(name), entry.Shape, quantization.BlockSize, quantization.HasDoubleQuantization));
        }
    }
}
