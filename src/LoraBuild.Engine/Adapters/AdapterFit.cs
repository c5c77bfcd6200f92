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

        Dictionary<string, LinearLayer> linears = model.LinearModules.ToDictionary(l => l.Path);
        foreach (LoraPair pair in files.Pairs)
        {
            if (!linears.TryGetValue(pair.ModulePath, out LinearLayer? linear))
                Misfit($"the adapter has the module '{pair.ModulePath}', which is no linear module of the model");
            else if (pair.A.Shape[1] != linear.InFeatures || pair.B.Shape[0] != linear.OutFeatures)
                Misfit($"the adapter's '{pair.ModulePath}' maps {pair.A.Shape[1]} features to {pair.B.Shape[0]}, the model's {linear.InFeatures} to {linear.OutFeatures}");
        }

        long[] wholeShape = [model.VocabSize, model.HiddenSize];
        string[] whole = [$"{model.Embedding.Path}.weight", $"{model.Head.Path}.weight"];
        foreach ((string name, TensorEntry entry) in files.Replacements)
        {
            if (!whole.Contains(name))
                Misfit($"the adapter replaces '{name}'; only {string.Join(" and ", whole)} can be replaced");
            else if (!entry.Shape.AsSpan().SequenceEqual(wholeShape))
                Misfit($"the adapter's '{name}' has the shape {entry.ShapeText}, the model's {TensorShapes.Text(wholeShape)}");
            else if (!files.Config.ModulesToSave.Any(m => name.EndsWith($"{m}.weight", StringComparison.Ordinal)) && !files.Config.EnsureWeightTying)
                Misfit($"the adapter replaces '{name}', but modules_to_save does not name it");
        }

        foreach (string name in whole)
        {
            if (!files.Replacements.ContainsKey(name) && files.Config.ModulesToSave.Any(m => name.EndsWith($"{m}.weight", StringComparison.Ordinal)))
                Misfit($"modules_to_save asks for '{name}', which the file lacks");
        }

        findings.ThrowIfErrors();
    }
}
