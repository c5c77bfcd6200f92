// Brings the tensors of a model directory into memory: mapped where nothing has to change, copied otherwise.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.IO;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Checks names, shapes and types of all tensors before it loads the first.</summary>
internal sealed class WeightLoader : IDisposable
{
    private readonly ModelFiles files;
    private readonly DecoderSpec spec;
    private readonly WeightNames names;
    private readonly Dictionary<(SafetensorsFile File, ScalarType Type), Tensor> maps = [];

    private WeightLoader(ModelFiles files, DecoderSpec spec)
    {
        this.files = files;
        this.spec = spec;
        names = WeightNames.Of(files, spec);
    }

    /// <returns>By Hugging Face name, in the order of <see cref="ParameterLayout.All"/>; detached from dispose scopes, owned by the caller.</returns>
    /// <exception cref="DiagnosticException">LB0510 missing, LB0511 unexpected, LB0512 another shape, LB0513 a type that is not built; all of a model together.</exception>
    public static OrderedDictionary<string, Tensor> Load(string directory, DecoderSpec spec, LoadOptions options)
    {
        using ModelFiles files = ModelFiles.Open(directory);
        using WeightLoader loader = new(files, spec);
        loader.Check();
        OrderedDictionary<string, Tensor> weights = [];
        foreach (ParameterShape parameter in ParameterLayout.All(spec))
            weights.Add(parameter.Name, loader.LoadOne(parameter, options));
        return weights;
    }

    public void Dispose()
    {
        foreach (Tensor map in maps.Values)
            map.Dispose();
    }

    private void Check()
    {
        DiagnosticBag findings = new();
        HashSet<string> expected = [];
        List<string> missing = [];
        foreach (ParameterShape parameter in ParameterLayout.All(spec))
        {
            string name = names.InFiles(parameter.Name);
            expected.Add(name);
            if (!files.Tensors.TryGetValue(name, out TensorEntry? entry))
                missing.Add($"'{name}' {TensorShapes.Text(parameter.Shape)}");
            else if (!entry.Shape.AsSpan().SequenceEqual(parameter.Shape.ToArray()))
                findings.Report(Diagnostic.Error("LB0512", $"the tensor '{name}' has the shape {entry.ShapeText}, config.json asks for {TensorShapes.Text(parameter.Shape)}; weights and config.json belong to different models", files.FileOf(name).Path));
            else if (!entry.Dtype.IsFloat())
                findings.Report(Diagnostic.Error("LB0513", $"the tensor '{name}' is stored as {entry.Dtype.SafetensorsName()}; only F32, F16, BF16 and F64 weights can be loaded. Use an unquantised copy of the model", files.FileOf(name).Path));
        }

        if (missing.Count > 0)
            findings.Report(Diagnostic.Error("LB0510", $"{(missing.Count == 1 ? "the tensor" : $"{missing.Count} tensors")} {NameList.Text(missing)}, which a {spec.ModelType} model with this config.json has, {(missing.Count == 1 ? "is" : "are")} in no weight file; fetch the model again, or mend config.json", files.Directory));

        foreach (string name in files.Tensors.Keys)
        {
            if (!expected.Contains(name) && !IsLeftOut(name))
                findings.Report(Diagnostic.Error("LB0511", $"the tensor '{name}' {files.Tensors[name].ShapeText} has no place in a {spec.ModelType} model with this config.json, so the results would be wrong without it; mend config.json ({(IsHead(name) ? "tie_word_embeddings is true, but this head differs from the embedding: set it to false, or remove the tensor" : "a bias that is switched off?")})", files.FileOf(name).Path));
        }

        findings.ThrowIfErrors();
    }

    /// <summary>A copy of the tied embedding, buffers that old versions saved, and parts of the model that are not text.</summary>
    private bool IsLeftOut(string name) =>
        (spec.IsHeadTied && IsHead(name) && IsTheEmbedding(name))
        || name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal)
        || WeightNames.IsOfAnotherPart(name, spec);

    private static bool IsHead(string name) => name is "lm_head.weight" or WeightNames.NestedHead;

    /// <summary>Of a head with other values nobody can say whether it counts: transformers 4 drops it, transformers 5 uses it.</summary>
    private bool IsTheEmbedding(string head)
    {
        const int ChunkBytes = 1 << 24;
        if (!files.Tensors.TryGetValue(names.InFiles("model.embed_tokens.weight"), out TensorEntry? embedding))
            return true; // which is told already
        TensorEntry entry = files.Tensors[head];
        bool isEqual = entry.Dtype == embedding.Dtype && entry.Shape.AsSpan().SequenceEqual(embedding.Shape);
        for (long done = 0; isEqual && done < entry.ByteLength; done += ChunkBytes)
        {
            int count = (int)Math.Min(ChunkBytes, entry.ByteLength - done);
            isEqual = files.FileOf(head).GetBytes(entry, done, count).SequenceEqual(files.FileOf(embedding.Name).GetBytes(embedding, done, count));
        }

        return isEqual;
    }

    private Tensor LoadOne(ParameterShape parameter, LoadOptions options)
    {
        string name = names.InFiles(parameter.Name);
        using Tensor stored = MapOrCopy(files.FileOf(name), files.Tensors[name]);
        Device device = options.Device ?? CPU;
        ScalarType type = options.Dtype ?? (device.type == DeviceType.CPU ? ScalarType.Float32 : stored.dtype);
        // Weights that are written to live in memory of their own, not in pages of the file.
        Tensor placed = (options.RequiresGrad ? stored.to(type, device, copy: true) : TensorTypes.Converted(stored, type, device)).DetachFromDisposeScope();
        if (!options.RequiresGrad)
            return placed;
        Tensor trained = new TorchSharp.Modules.Parameter(placed, requires_grad: true).DetachFromDisposeScope();
        return trained;
    }

    /// <summary>The tensor in its stored type. A mapped tensor keeps the mapping alive after this object is gone.</summary>
    private Tensor MapOrCopy(SafetensorsFile file, TensorEntry entry)
    {
        ScalarType type = TensorTypes.ScalarTypeOf(entry.Dtype);
        if (entry.FileOffset % entry.Dtype.ByteSize() != 0)
        {
            Tensor copy = empty(entry.Shape, dtype: type);
            copy.bytes = file.GetBytes(entry.Name).ToArray();
            return copy;
        }

        if (!maps.TryGetValue((file, type), out Tensor? map))
        {
            long elements = LinkedFile.Length(file.Path)!.Value / entry.Dtype.ByteSize();
            map = from_file(file.Path, shared: false, size: elements, dtype: type).DetachFromDisposeScope();
            maps.Add((file, type), map);
        }

        using Tensor flat = map.narrow(0, entry.FileOffset / entry.Dtype.ByteSize(), entry.ElementCount);
        return flat.view(entry.Shape);
    }
}
