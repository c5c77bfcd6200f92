// Whether the tensors of an adapter's file fit a model.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Adapters;

internal static class AdapterFit
{
    /// <exception cref="DiagnosticException">LB0526: modules that the model lacks, or other shapes; all of a file together.</exception>
    public static void Check(CausalLM model, PeftAdapterFiles files)
    {
        DiagnosticBag findings = new();
        void Misfit(string message) => findings.Report(Diagnostic.Error("LB0526", $"{message}; was this adapter trained on another base model ({files.Config.BaseModelNameOrPath ?? "not named"})?", files.Weights.Path));

        HashSet<string> linears = [.. model.LinearModules.Select(l => l.Path)];
        foreach (LoraPair pair in files.Pairs)
        {
            string path = ModulePaths.Resolve(model.Spec, pair.ModulePath);
            if (WeightNames.IsOfAnotherPart(path, model.Spec))
                Misfit($"the adapter has the module '{pair.ModulePath}' of the vision tower or its projector, which are kept as they are; merge it in PEFT");
            else if (!(pair.IsEmbedding ? path == model.Embedding.Path : linears.Contains(path)))
                Misfit($"the adapter has the module '{pair.ModulePath}', which is no {(pair.IsEmbedding ? "embedding" : "linear module")} of the model");
            else if (!model.Slots[$"{path}.weight"].Shape.AsSpan().SequenceEqual(pair.WeightShape))
                Misfit($"the adapter's '{pair.ModulePath}' is for a weight {TensorShapes.Text(pair.WeightShape)}, the model's is {TensorShapes.Text(model.Slots[$"{path}.weight"].Shape)}");
        }

        foreach ((string stored, TensorEntry entry) in files.Replacements.Concat(files.BaseWeights))
        {
            string name = ModulePaths.Resolve(model.Spec, stored);
            if (!model.Slots.TryGetValue(name, out WeightSlot? slot))
                Misfit($"the adapter replaces '{stored}', which the model does not have");
            else if (!entry.Shape.AsSpan().SequenceEqual(slot.Shape))
                Misfit($"the adapter's '{stored}' has the shape {entry.ShapeText}, the model's {TensorShapes.Text(slot.Shape)} (was the vocabulary resized before training?)");
        }

        foreach (TrainedRows rows in files.TokenRows)
        {
            string path = ModulePaths.Resolve(model.Spec, rows.ModulePath);
            if (path != model.Embedding.Path && path != model.Head.Path)
                Misfit($"the adapter trains rows of '{rows.ModulePath}', which is neither {model.Embedding.Path} nor {model.Head.Path}");
            else if (rows.Rows.Shape[1] != model.HiddenSize || rows.Ids.Any(id => id >= model.VocabSize))
                Misfit($"the adapter trains rows {rows.Rows.ShapeText} with ids up to {rows.Ids.DefaultIfEmpty().Max()} of '{rows.ModulePath}', the model has {model.VocabSize} rows of {model.HiddenSize}");
        }

        string[] saved = [.. files.Replacements.Keys.Select(n => ModulePaths.Resolve(model.Spec, n))];
        foreach (string name in (string[])[$"{model.Embedding.Path}.weight", $"{model.Head.Path}.weight"])
        {
            if (!saved.Contains(name) && files.Config.ModulesToSave.Any(m => name.EndsWith($"{m}.weight", StringComparison.Ordinal)))
                Misfit($"modules_to_save asks for '{name}', which the file lacks");
        }

        findings.ThrowIfErrors();
    }
}
