// Brings the tensors of a model directory into memory: mapped where nothing has to change, copied otherwise.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Quantization;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Checks names, shapes and types of all tensors before it loads the first.</summary>
internal sealed class WeightLoader : IDisposable
{
    private readonly ModelFiles files;
    private readonly DecoderSpec spec;
    private readonly WeightNames names;
    private readonly bool isQuantized; // by who stored the model
    private readonly MappedTensors maps = new();

    private WeightLoader(ModelFiles files, DecoderSpec spec)
    {
        this.files = files;
        this.spec = spec;
        names = WeightNames.Of(files, spec);
        isQuantized = files.Tensors.Keys.Any(n => PackedWeight.Find(files, n) is not null);
    }

    /// <returns>In the order of <see cref="ParameterLayout.All"/>; detached from dispose scopes, owned by the caller.</returns>
    /// <exception cref="DiagnosticException">LB0510 missing, LB0511 unexpected, LB0512 another shape, LB0513 a type that is not built; all of a model together. LB0414, LB0514: quantised weights that cannot be used.</exception>
    public static LoadedWeights Load(string directory, DecoderSpec spec, LoadOptions options)
    {
        using ModelFiles files = ModelFiles.Open(directory);
        using WeightLoader loader = new(files, spec);
        loader.Check(options);
        Device device = options.Device ?? CPU;
        ParameterShape[] parameters = [.. ParameterLayout.All(spec)];
        string[] toEncode = options.Quantization is null ? [] : [.. parameters.Where(ParameterLayout.IsLayerLinear).Select(p => loader.names.InFiles(p.Name)).Where(n => PackedWeight.Find(files, n) is null)];
        using QuantizedLoader quantized = new(files, options.Quantization, toEncode, options.Quantization?.ComputeType ?? options.Dtype ?? ScalarType.Float32, device, loader.maps);
        LoadedWeights weights = new([]);
        try
        {
            foreach (ParameterShape parameter in parameters)
            {
                if (((IFrozenWeight?)(ParameterLayout.IsLayerLinear(parameter) ? quantized.Load(loader.names.InFiles(parameter.Name)) : null) ?? loader.LoadStored(parameter, options)) is { } frozen)
                    weights.Frozen.Add(parameter.Name, frozen);
                else
                    weights.Tensors.Add(parameter.Name, loader.LoadOne(parameter, options));
            }
        }
        catch
        {
            weights.Dispose();
            throw;
        }

        return weights;
    }

    public void Dispose() => maps.Dispose();

    private void Check(LoadOptions options)
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
            else if (PackedWeight.Find(files, name) is { } packed)
                CheckPacked(packed, parameter, options, findings);
            else if (!entry.Shape.AsSpan().SequenceEqual(parameter.Shape.ToArray()))
                findings.Report(Diagnostic.Error("LB0512", $"the tensor '{name}' has the shape {entry.ShapeText}, config.json asks for {TensorShapes.Text(parameter.Shape)}; weights and config.json belong to different models", files.FileOf(name).Path));
            else if (!entry.Dtype.IsFloat())
                findings.Report(Diagnostic.Error("LB0513", $"the tensor '{name}' is stored as {entry.Dtype.SafetensorsName()}; only F32, F16, BF16 and F64 weights, and those of bitsandbytes, can be loaded. Use an unquantised copy of the model", files.FileOf(name).Path));
        }

        if (missing.Count > 0)
            findings.Report(Diagnostic.Error("LB0510", $"{(missing.Count == 1 ? "the tensor" : $"{missing.Count} tensors")} {NameList.Text(missing)}, which a {spec.ModelType} model with this config.json has, {(missing.Count == 1 ? "is" : "are")} in no weight file; fetch the model again, or mend config.json", files.Directory));

        foreach (string name in files.Tensors.Keys)
        {
            if (!expected.Contains(name) && !IsLeftOut(name) && !PackedWeight.IsPart(files, name))
                findings.Report(Diagnostic.Error("LB0511", $"the tensor '{name}' {files.Tensors[name].ShapeText} has no place in a {spec.ModelType} model with this config.json, so the results would be wrong without it; mend config.json ({(IsHead(name) ? "tie_word_embeddings is true, but this head differs from the embedding: set it to false, or remove the tensor" : "a bias that is switched off?")})", files.FileOf(name).Path));
        }

        findings.ThrowIfErrors();
    }

    private void CheckPacked(PackedWeight packed, ParameterShape parameter, LoadOptions options, DiagnosticBag findings)
    {
        string file = files.FileOf(packed.Name).Path;
        if (!packed.Shape.AsSpan().SequenceEqual(parameter.Shape.ToArray()))
            findings.Report(Diagnostic.Error("LB0512", $"the quantised weight '{packed.Name}' has the shape {TensorShapes.Text(packed.Shape)}, config.json asks for {TensorShapes.Text(parameter.Shape)}; weights and config.json belong to different models", file));
        else if (options.RequiresGrad)
            findings.Report(Diagnostic.Error("LB0514", $"the weight '{packed.Name}' is stored as {packed.Code.Name()}, and full fine-tuning trains weights, which codes cannot be; train an adapter, or take an unquantised copy of the model", file));
        else if (options.Quantization is { } asked && asked.Code != packed.Code)
            findings.Report(Diagnostic.Error("LB0514", $"the weight '{packed.Name}' is stored as {packed.Code.Name()}, and {asked.Code.Name()} is asked for; take an unquantised copy of the model, or ask for {packed.Code.Name()} or for none", file));
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

    /// <summary>A narrow matrix as it is stored, where the arithmetic is wider and the options want it so; beside quantised weights embedding and head are.</summary>
    private StoredWeight? LoadStored(ParameterShape parameter, LoadOptions options)
    {
        TensorEntry entry = files.Tensors[names.InFiles(parameter.Name)];
        bool isOfVocabulary = parameter.Kind == ParameterKind.Embedding || parameter.ModulePath == ParameterLayout.HeadPath;
        bool isWanted = isOfVocabulary
            ? (options.HoldsStoredType || options.Quantization is not null || isQuantized) && (options.Device ?? CPU).type == DeviceType.CPU
            : options.HoldsStoredType && parameter.Kind == ParameterKind.LinearWeight;
        bool isWideArithmetic = options.Dtype is ScalarType asked ? asked == ScalarType.Float32 : (options.Device ?? CPU).type == DeviceType.CPU;
        if (!isWanted || options.RequiresGrad || !isWideArithmetic || entry.Dtype is not (TensorDtype.BF16 or TensorDtype.F16))
            return null;
        using Tensor mapped = maps.Read(files.FileOf(entry.Name), entry);
        return new StoredWeight(TensorTypes.Converted(mapped, mapped.dtype, options.Device ?? CPU));
    }

    private Tensor LoadOne(ParameterShape parameter, LoadOptions options)
    {
        string name = names.InFiles(parameter.Name);
        using Tensor stored = PackedWeight.Find(files, name) is { } packed
            ? tensor(packed.Read(files, 0, packed.Shape[0]), packed.Shape) // a head or embedding that was quantised: plain tensors all the same
            : maps.Read(files.FileOf(name), files.Tensors[name]);
        Device device = options.Device ?? CPU;
        ScalarType type = options.Dtype ?? (device.type == DeviceType.CPU ? ScalarType.Float32 : stored.dtype);
        // Weights that are written to live in memory of their own, not in pages of the file.
        Tensor placed = (options.RequiresGrad ? stored.to(type, device, copy: true) : TensorTypes.Converted(stored, type, device)).DetachFromDisposeScope();
        if (!options.RequiresGrad)
            return placed;
        Tensor trained = new TorchSharp.Modules.Parameter(placed, requires_grad: true).DetachFromDisposeScope();
        return trained;
    }
}
