// Brings the parts of a PEFT adapter's file to the places in the model that they belong to.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Adapters;

/// <summary>The weight file says which modules there are; the config says it too, but may name more than this model has.</summary>
internal static class AdapterLoader
{
    /// <exception cref="DiagnosticException">LB0526, LB0527, LB0529.</exception>
    public static AdapterTensors Load(CausalLM model, PeftAdapterFiles files, AdapterSwitch shared, bool isTrainable)
    {
        AdapterFit.Check(model, files);
        bool areRowsTrained = isTrainable && CanTrainRows(model, files);
        bool isReadOnly = HasReadOnlyParts(model, files) || (files.TokenRows.Count > 0 && !areRowsTrained);
        if (isTrainable)
            CheckTrainable(model, files, isReadOnly);
        Dictionary<string, LoraPair> pairs = files.Pairs.ToDictionary(p => ModulePaths.Resolve(model.Spec, p.ModulePath));
        List<LoraLinear> modules = [];
        foreach (string path in model.LinearModules.Select(l => l.Path).Where(pairs.ContainsKey))
        {
            LoraPair pair = pairs[path];
            modules.Add(new LoraLinear(Target(pair), Read(pair.A), Read(pair.B), pair.Magnitude is null ? null : Read(pair.Magnitude), files.Config.LoraDropout, modules.Count, shared));
        }

        AdapterTensors tensors = new(modules)
        {
            Embedding = pairs.TryGetValue(model.Embedding.Path, out LoraPair? embedding) ? new LoraEmbedding(Target(embedding), Read(embedding.A), Read(embedding.B), shared) : null,
            TokenRows = areRowsTrained ? Rows(model.Embedding.Path) : null,
            HeadRows = areRowsTrained ? Rows(model.Head.Path) : null,
            IsWritable = !isReadOnly,
        };
        AddReplacements(model, files, tensors, entry => Read(entry), areRowsTrained);
        return tensors;

        TrainedTokenRows? Rows(string path) => files.TokenRows.FirstOrDefault(r => ModulePaths.Resolve(model.Spec, r.ModulePath) == path) is { } rows
            ? new TrainedTokenRows(rows.Ids, Read(rows.Rows), model.VocabSize, shared)
            : null;

        AdapterTarget Target(LoraPair pair) => new(ModulePaths.Resolve(model.Spec, pair.ModulePath), pair.R, files.Config.ScalingOf(pair.ModulePath));

        Parameter Read(TensorEntry entry) =>
            LoraAdapter.Trained(tensor(files.Weights.ReadFloat32(entry.Name), entry.Shape), model.Device, isTrainable);
    }

    private static void AddReplacements(CausalLM model, PeftAdapterFiles files, AdapterTensors tensors, Func<TensorEntry, Parameter> read, bool areRowsApart)
    {
        string embedding = $"{model.Embedding.Path}.weight", head = $"{model.Head.Path}.weight";
        Dictionary<string, TensorEntry> whole = files.Replacements.ToDictionary(r => ModulePaths.Resolve(model.Spec, r.Key), r => r.Value);
        Dictionary<string, TensorEntry> frozen = files.BaseWeights.ToDictionary(r => ModulePaths.Resolve(model.Spec, r.Key), r => r.Value);
        bool keepsTie = model.Spec.IsHeadTied && files.Config.EnsureWeightTying && whole.ContainsKey(embedding) && whole.ContainsKey(head);
        Dictionary<string, Tensor> values = new(StringComparer.Ordinal);
        foreach ((string name, TensorEntry entry) in frozen)
        {
            values[name] = InTypeOf(model.Slots[name], read(entry));
            if (model.Spec.IsHeadTied && !frozen.ContainsKey(name == head ? embedding : head))
                values[name == head ? embedding : head] = values[name]; // one weight under two names
        }

        foreach ((string name, TensorEntry entry) in whole)
            values[name] = keepsTie && name == head ? values.GetValueOrDefault(embedding) ?? read(whole[embedding]) : InTypeOf(model.Slots[name], read(entry));
        if (keepsTie)
            values[head] = values[embedding];
        if (!areRowsApart)
            AddRows(model, files, values);
        foreach ((string name, Tensor value) in values.OrderBy(v => v.Key == head))
            tensors.Replace(name, value);
    }

    /// <summary>Trained rows of a tied embedding are the head's too, unless the head has its own.</summary>
    private static void AddRows(CausalLM model, PeftAdapterFiles files, Dictionary<string, Tensor> values)
    {
        string embedding = $"{model.Embedding.Path}.weight", head = $"{model.Head.Path}.weight";
        Dictionary<string, TrainedRows> rows = files.TokenRows.ToDictionary(r => $"{ModulePaths.Resolve(model.Spec, r.ModulePath)}.weight");
        foreach ((string name, TrainedRows trained) in rows)
        {
            using var scope = NewDisposeScope();
            WeightSlot slot = model.Slots[name];
            using Tensor ids = tensor(trained.Ids.Select(id => (long)id).ToArray(), device: model.Device);
            using Tensor fresh = tensor(files.Weights.ReadFloat32(trained.Rows.Name), trained.Rows.Shape).to(slot.Dtype, model.Device);
            Tensor changed = (values.TryGetValue(name, out Tensor? before) ? before.detach() : slot.BaseMatrix.Whole(slot.Dtype)).index_copy(0, ids, fresh).DetachFromDisposeScope();
            values[name] = changed;
            if (model.Spec.IsHeadTied && name == embedding && !rows.ContainsKey(head))
                values[head] = changed;
        }
    }

    /// <summary>A frozen value takes part in products with the model's type.</summary>
    private static Tensor InTypeOf(WeightSlot slot, Parameter value)
    {
        if (value.requires_grad || value.dtype == slot.Dtype)
            return value;
        Tensor converted = value.to_type(slot.Dtype).DetachFromDisposeScope();
        value.Dispose();
        return converted;
    }

    /// <summary>Rows of a matrix that nothing else changes: of the embedding (with a tied head), and of a head of its own.</summary>
    private static bool CanTrainRows(CausalLM model, PeftAdapterFiles files)
    {
        string embedding = model.Embedding.Path, head = model.Head.Path;
        HashSet<string> changed = [.. files.Pairs.Select(p => p.ModulePath).Concat(files.Replacements.Keys).Select(name => ModulePaths.Resolve(model.Spec, name))];
        bool IsChanged(string path) => changed.Contains(path) || changed.Contains($"{path}.weight");
        return files.TokenRows.Select(r => ModulePaths.Resolve(model.Spec, r.ModulePath)).All(path =>
            (path == embedding && !IsChanged(embedding) && !(model.Spec.IsHeadTied && IsChanged(head))) || (path == head && !model.Spec.IsHeadTied && !IsChanged(head)));
    }

    private static bool HasReadOnlyParts(CausalLM model, PeftAdapterFiles files) =>
        files.BaseWeights.Count > 0
        || files.Pairs.Any(p => p.IsEmbedding)
        || files.Replacements.Keys.Any(name => ModulePaths.Resolve(model.Spec, name) is string own && own != $"{model.Embedding.Path}.weight" && own != $"{model.Head.Path}.weight" && !own.EndsWith(".bias", StringComparison.Ordinal));

    private static void CheckTrainable(CausalLM model, PeftAdapterFiles files, bool isReadOnly)
    {
        if (isReadOnly)
            throw new DiagnosticException("LB0529", "the adapter has parts that can be read and merged but not trained further (a low-rank update of the embedding, single rows of a matrix that is changed otherwise too, or modules_to_save beside embed_tokens and lm_head). Merge it and train a new adapter on the merged model", files.Weights.Path);
        LoraAdapter.CheckDropout(model, files.Config.LoraDropout, files.Pairs.Select(p => p.ModulePath));
    }
}
