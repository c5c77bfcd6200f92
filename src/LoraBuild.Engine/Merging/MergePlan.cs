// Decides for every tensor of the merged model where its values come from; everything that cannot be is found before a byte is written.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Merging;

/// <param name="IsHeadUntied">lm_head.weight stands in the merged model although the base ties it to the embedding.</param>
internal sealed record MergePlan(IReadOnlyList<MergedTensor> Tensors, bool IsHeadUntied)
{
    private const string Head = "lm_head.weight";

    /// <exception cref="DiagnosticException">LB0701: the adapter names modules that the base lacks; LB0702: shapes differ.</exception>
    public static MergePlan OfAdapter(ModelFiles model, ModelConfig config, PeftAdapterFiles adapter, MergeOptions options)
    {
        Dictionary<string, MergedTensor> changed = new(StringComparer.Ordinal);
        List<string> unmatched = [];
        bool isTied = config.TieWordEmbeddings && BaseTensorNames.Find(model, Head) is null;
        foreach (LoraPair pair in adapter.Pairs)
        {
            string weight = pair.ModulePath + ".weight";
            string? stored = BaseTensorNames.Find(model, weight);
            string? source = stored ?? (isTied && weight == Head ? BaseTensorNames.Embedding(model) : null);
            if (source is null)
            {
                unmatched.Add(pair.ModulePath);
                continue;
            }

            TensorEntry entry = model.Tensors[source];
            CheckShape(adapter.Directory, pair.ModulePath, [pair.B.Shape[0], pair.A.Shape[1]], entry);
            changed.Add(stored ?? weight, new MergedTensor(stored ?? weight, options.Dtype ?? entry.Dtype, model.FileOf(source), entry, pair, (float)adapter.Config.ScalingOf(pair.ModulePath), adapter.Weights, false));
        }

        AddReplacements(model, isTied, adapter.Weights, adapter.Replacements, adapter.Directory, options, changed, unmatched);
        RefuseUnmatched(adapter.Directory, unmatched, model);
        KeepTied(model, isTied && adapter.Config.EnsureWeightTying, changed);
        if (isTied && !adapter.Config.EnsureWeightTying)
            KeepHead(model, options, changed);
        return Complete(model, isTied, options, changed);
    }

    /// <summary>A full fine-tuning: its weights replace the base's of the same name.</summary>
    public static MergePlan OfFullFineTuning(ModelFiles model, ModelConfig config, ModelFiles trained, MergeOptions options)
    {
        Dictionary<string, MergedTensor> changed = new(StringComparer.Ordinal);
        List<string> unmatched = [];
        bool isTied = config.TieWordEmbeddings && BaseTensorNames.Find(model, Head) is null;
        foreach (SafetensorsFile file in trained.Files)
            AddReplacements(model, isTied, file, file.Tensors, trained.Directory, options, changed, unmatched);
        RefuseUnmatched(trained.Directory, unmatched, model);
        KeepTied(model, isTied, changed);
        return Complete(model, isTied, options, changed);
    }

    private static void AddReplacements(ModelFiles model, bool isTied, SafetensorsFile file, IReadOnlyDictionary<string, TensorEntry> replacements, string directory, MergeOptions options, Dictionary<string, MergedTensor> changed, List<string> unmatched)
    {
        foreach ((string name, TensorEntry entry) in replacements)
        {
            string? stored = BaseTensorNames.Find(model, name);
            string? like = stored ?? (isTied && name == Head ? BaseTensorNames.Embedding(model) : null);
            if (like is null)
            {
                unmatched.Add(name);
                continue;
            }

            CheckShape(directory, name, entry.Shape, model.Tensors[like]);
            changed[stored ?? name] = new MergedTensor(stored ?? name, options.Dtype ?? model.Tensors[like].Dtype, file, entry, null, 0, null, true);
        }
    }

    /// <summary>Where both were trained as one parameter, the head's copy is dropped and the model stays tied.</summary>
    private static void KeepTied(ModelFiles model, bool wasOneParameter, Dictionary<string, MergedTensor> changed)
    {
        if (wasOneParameter && changed.ContainsKey(Head) && BaseTensorNames.Embedding(model) is string embedding && changed.ContainsKey(embedding))
            changed.Remove(Head);
    }

    /// <summary>PEFT trains a copy of a tied embedding; the head goes on with the untouched weights.</summary>
    private static void KeepHead(ModelFiles model, MergeOptions options, Dictionary<string, MergedTensor> changed)
    {
        if (BaseTensorNames.Embedding(model) is string embedding && changed.ContainsKey(embedding) && !changed.ContainsKey(Head))
            changed.Add(Head, Unchanged(model, Head, embedding, model.Tensors[embedding], options));
    }

    private static MergePlan Complete(ModelFiles model, bool isTied, MergeOptions options, Dictionary<string, MergedTensor> changed)
    {
        List<MergedTensor> tensors = [];
        foreach ((string name, TensorEntry entry) in model.Tensors)
            tensors.Add(changed.TryGetValue(name, out MergedTensor? merged) ? merged : Unchanged(model, name, name, entry, options));
        bool isHeadUntied = changed.TryGetValue(Head, out MergedTensor? head) && !model.Tensors.ContainsKey(Head);
        if (isHeadUntied)
            tensors.Add(head!);
        return new MergePlan(tensors, isHeadUntied && isTied);
    }

    private static MergedTensor Unchanged(ModelFiles model, string name, string source, TensorEntry entry, MergeOptions options) =>
        new(name, entry.Dtype.IsFloat() ? options.Dtype ?? entry.Dtype : entry.Dtype, model.FileOf(source), entry, null, 0, null, false);

    private static void CheckShape(string directory, string name, long[] needed, TensorEntry entry)
    {
        if (!entry.Shape.AsSpan().SequenceEqual(needed))
            throw new DiagnosticException("LB0702", $"'{name}' is {TensorShapes.Text(needed)} in the adapter but {entry.ShapeText} in the base: it was trained on another base model", directory);
    }

    private static void RefuseUnmatched(string directory, List<string> unmatched, ModelFiles model)
    {
        if (unmatched.Count > 0)
            throw new DiagnosticException("LB0701", $"the base model in {model.Directory} lacks {unmatched.Count} of the modules that were trained: {NameList.Text(unmatched)}; it has {NameList.Text(model.Tensors.Keys, 4)}", directory);
    }
}
