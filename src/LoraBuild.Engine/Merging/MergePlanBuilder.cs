// Collects what changes in a model, and finds out what that means for a tied head.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Merging;

internal sealed class MergePlanBuilder(MergeBase model, ModelConfig config, string trainedDirectory, MergeOptions options)
{
    private const string Head = "lm_head.weight";

    private readonly Dictionary<string, MergedTensor> changed = new(StringComparer.Ordinal);
    private readonly List<string> unmatched = [];

    /// <summary>The head is not stored: it is the embedding.</summary>
    private readonly bool isTied = config.TieWordEmbeddings && BaseTensorNames.Find(model, Head) is null;

    private string? Embedding => BaseTensorNames.Embedding(model);

    /// <summary>A frozen weight that came with the adapter; of a tied model it stands for both.</summary>
    public void ReplaceBase(string name, SafetensorsFile file, TensorEntry entry) =>
        Replace(isTied && name == Head && Embedding is string embedding ? embedding : name, file, entry);

    public void Replace(string name, SafetensorsFile file, TensorEntry entry)
    {
        if (Place(name) is not ({ } target, { } like))
            return;
        CheckShape(name, entry.Shape, like);
        changed[target] = new MergedTensor(target, options.Dtype ?? like.Dtype, file, entry, IsReplaced: true);
    }

    /// <summary>Rows of a tied embedding are the head's too; the tie stays.</summary>
    public void ReplaceRows(TrainedRows rows, SafetensorsFile adapter)
    {
        string name = rows.ModulePath + ".weight";
        if (Place(name) is not ({ } target, { } like))
            return;
        if (rows.Rows.Shape[1] != like.Shape[^1] || rows.Ids.Any(id => id >= like.Shape[0]))
            throw new DiagnosticException("LB0702", $"the trained rows of '{rows.ModulePath}' are {rows.Rows.ShapeText} with ids up to {rows.Ids.Max()}, but the base's weight is {like.ShapeText}: the adapter was trained on another base model", trainedDirectory);
        changed[target] = Current(target, like) with { Rows = rows, Adapter = adapter };
    }

    public void Add(LoraPair pair, float scaling, SafetensorsFile adapter)
    {
        string name = pair.ModulePath + ".weight";
        if (Place(name) is not ({ } target, { } like))
            return;
        CheckShape(pair.ModulePath, pair.WeightShape, like);
        changed[target] = Current(target, like) with { Pair = pair, Scaling = scaling, Adapter = adapter };
    }

    /// <param name="wasOneParameter">Embedding and head of a tied model were trained as one.</param>
    /// <exception cref="DiagnosticException">LB0701: modules that the base lacks.</exception>
    public MergePlan Build(bool wasOneParameter)
    {
        if (unmatched.Count > 0)
            throw new DiagnosticException("LB0701", $"the base model in {model.Directory} lacks {unmatched.Count} of the modules that were trained: {NameList.Text(unmatched)}; it has {NameList.Text(model.Tensors.Keys, 4)}", trainedDirectory);
        if (isTied && Embedding is string embedding && changed.TryGetValue(embedding, out MergedTensor? trained))
        {
            if (wasOneParameter)
                changed.Remove(Head); // the same values under its name
            else if (!changed.ContainsKey(Head) && (trained.Pair is not null || (trained.IsReplaced && !IsFrozen(trained))))
                changed.Add(Head, Unchanged(Head, embedding)); // PEFT trains a copy of the embedding; the head goes on with the untouched weights
        }

        List<MergedTensor> tensors = [.. model.Tensors.Keys.Select(name => changed.GetValueOrDefault(name) ?? Unchanged(name, name))];
        bool isHeadAdded = changed.TryGetValue(Head, out MergedTensor? head) && !model.Tensors.ContainsKey(Head);
        if (isHeadAdded)
            tensors.Add(head!);
        return new MergePlan(tensors, isHeadAdded && isTied);
    }

    private static bool IsFrozen(MergedTensor tensor) => tensor.Entry.Name.Contains(".base_layer.", StringComparison.Ordinal);

    /// <summary>The merged model's name of a weight, and the base's tensor that it is like; null, and noted, where the base has none.</summary>
    private (string Name, TensorEntry Like)? Place(string name)
    {
        string? stored = BaseTensorNames.Find(model, name);
        string? like = stored ?? (isTied && name == Head ? Embedding : null);
        if (like is not null)
            return (stored ?? name, model.Tensors[like]);
        unmatched.Add(name.EndsWith(".weight", StringComparison.Ordinal) ? name[..^".weight".Length] : name);
        return null;
    }

    /// <summary>What is known of a tensor so far; at first the base's values.</summary>
    private MergedTensor Current(string target, TensorEntry like) =>
        changed.TryGetValue(target, out MergedTensor? known)
            ? known
            : changed.TryGetValue(like.Name, out MergedTensor? tied) && IsFrozen(tied)
                ? tied with { Name = target, Pair = null, Rows = null }
                : new MergedTensor(target, options.Dtype ?? like.Dtype, model.FileOf(like.Name), like) { Compressed = model.Compressed(like.Name) };

    private MergedTensor Unchanged(string name, string source)
    {
        TensorEntry entry = model.Tensors[source];
        return changed.TryGetValue(source, out MergedTensor? frozen) && IsFrozen(frozen)
            ? frozen with { Name = name, Pair = null, Rows = null }
            : new MergedTensor(name, entry.Dtype.IsFloat() ? options.Dtype ?? entry.Dtype : entry.Dtype, model.FileOf(source), entry) { Compressed = model.Compressed(source) };
    }

    private void CheckShape(string name, long[] needed, TensorEntry entry)
    {
        if (!entry.Shape.AsSpan().SequenceEqual(needed))
            throw new DiagnosticException("LB0702", $"'{name}' is {TensorShapes.Text(needed)} in the adapter but {entry.ShapeText} in the base: it was trained on another base model", trainedDirectory);
    }
}
