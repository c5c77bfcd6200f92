// PEFT adapter → GGUF adapter that llama.cpp puts on the base model's GGUF file when it loads (--lora).
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Engine.Export;

/// <summary>llama.cpp adds alpha / r · B(Ax) to a tensor's product, with one alpha for all and r from B's shape.</summary>
public static class GgufAdapterExporter
{
    /// <summary>Writes <paramref name="outputFile"/>: a pair <c>NAME.lora_a</c> [r, in], <c>NAME.lora_b</c> [out, r] for each module, under the base's tensor names.</summary>
    /// <param name="baseDirectory">Its config.json says which names and permutations belong to the family; its weights, where they are there, are compared in shape.</param>
    /// <param name="type">F32 or F16.</param>
    /// <param name="threads">That encode; null: all cores.</param>
    /// <exception cref="DiagnosticException">LB0704 family; LB0710 an adapter that llama.cpp cannot apply; LB0701, LB0702 another base's; LB042x a damaged adapter.</exception>
    public static GgufExportReport Export(string baseDirectory, string adapterDirectory, GgmlType type, string outputFile, int? threads = null)
    {
        if (type is not (GgmlType.F32 or GgmlType.F16))
            throw new ArgumentOutOfRangeException(nameof(type), type, "adapters are F32 or F16");
        ModelConfig config = ModelConfig.Load(baseDirectory);
        GgufArchitecture architecture = GgufArchitecture.Of(config);
        using PeftAdapterFiles adapter = PeftAdapterFiles.Read(adapterDirectory);
        CheckPossible(adapter, config);
        using ModelFiles? model = ModelFiles.Exist(baseDirectory) ? ModelFiles.Open(baseDirectory) : null;

        // The first module's rank and scaling give alpha; rsLoRA's √r is folded in, other modules' differences go into their B.
        LoraPair first = adapter.Pairs[0];
        float alpha = (float)(adapter.Config.ScalingOf(first.ModulePath) * first.R);
        List<GgufTensorToWrite> tensors = [];
        foreach (LoraPair pair in adapter.Pairs)
        {
            string name = TextTensorName.Of(pair.ModulePath + ".weight", config) ?? throw Refused(adapter, $"'{pair.ModulePath}' belongs to the images, which are no part of the text model's GGUF file");
            string ggufName = architecture.TensorName(name) ?? throw new DiagnosticException("LB0701", $"a {config.FileModelType} model has no module '{pair.ModulePath}'", adapter.Directory);
            CheckShape(pair, name, model, config, adapter);
            float factor = (float)(adapter.Config.ScalingOf(pair.ModulePath) * pair.R / alpha);
            tensors.Add(Tensor(ggufName + ".lora_a", pair.A, new RowEncoder(adapter.Weights, pair.A, type, permutedHeads: null, offset: 0) { Threads = threads }, type));
            tensors.Add(Tensor(ggufName + ".lora_b", pair.B, new RowEncoder(adapter.Weights, pair.B, type, architecture.PermutedHeads(name, config), offset: 0) { Factor = factor, Threads = threads }, type));
        }

        List<GgufKey> keys =
        [
            GgufKey.Of("general.architecture", architecture.Name),
            GgufKey.Of("general.type", "adapter"),
            GgufKey.Of("adapter.type", "lora"),
            GgufKey.Of("adapter.lora.alpha", alpha),
        ];
        GgufWriter.Write(outputFile, keys, tensors);
        return new GgufExportReport(Path.GetFullPath(outputFile), GgufMix.All.First(m => m.Main == type), tensors.Count, new FileInfo(outputFile).Length, []);
    }

    private static void CheckPossible(PeftAdapterFiles adapter, ModelConfig config)
    {
        if (adapter.Config.UseDora)
            throw Refused(adapter, "it is a DoRA adapter (use_dora), whose row norms llama.cpp does not know");
        if (adapter.Replacements.Count > 0)
            throw Refused(adapter, $"it replaces whole tensors (modules_to_save or trained biases): {NameList.Text(adapter.Replacements.Keys)}; llama.cpp's adapters are low-rank pairs alone");
        if (adapter.Pairs.Count == 0)
            throw Refused(adapter, "it has no low-rank pair");
        if (config.TieWordEmbeddings && adapter.Pairs.FirstOrDefault(p => p.ModulePath.EndsWith("lm_head", StringComparison.Ordinal)) is not null)
            throw Refused(adapter, "it changes lm_head, but the base's head is its embedding (tie_word_embeddings) and its GGUF file has no tensor of that name");
    }

    private static void CheckShape(LoraPair pair, string name, ModelFiles? model, ModelConfig config, PeftAdapterFiles adapter)
    {
        if (model is null)
            return;
        TensorEntry entry = model.Tensors.FirstOrDefault(t => TextTensorName.Of(t.Key, config) == name).Value
            ?? throw new DiagnosticException("LB0701", $"the base model in {model.Directory} has no tensor '{name}', which the adapter changes", adapter.Directory);
        long[] needed = [pair.B.Shape[0], pair.A.Shape[1]];
        if (!entry.Shape.AsSpan().SequenceEqual(needed))
            throw new DiagnosticException("LB0702", $"'{pair.ModulePath}' is {TensorShapes.Text(needed)} in the adapter but {entry.ShapeText} in the base: it was trained on another base model", adapter.Directory);
    }

    private static GgufTensorToWrite Tensor(string name, TensorEntry entry, RowEncoder encoder, GgmlType type) =>
        new(name, type, [.. entry.Shape.Reverse()], encoder.Write);

    private static DiagnosticException Refused(PeftAdapterFiles adapter, string why) =>
        new("LB0710", $"this adapter cannot be a GGUF file of its own: {why}. Merge it into its base (lorabuild merge) and export the result.", adapter.Directory);
}
