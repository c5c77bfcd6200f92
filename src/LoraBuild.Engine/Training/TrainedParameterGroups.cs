// What is trained, by type of module: the table that a person reads before the first step.
using LoraBuild.Core.Formats;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

/// <param name="Module">q_proj, embed_tokens, …; "biases" for all of them together.</param>
/// <param name="Modules">How many such modules are trained.</param>
/// <param name="Form">Of low-rank updates their r, else the shape, or the number of single rows.</param>
/// <param name="Parameters">Trained elements.</param>
public sealed record TrainedParameterGroup(string Module, int Modules, string Form, long Parameters);

public static class TrainedParameterGroups
{
    private const string Biases = "biases";

    /// <param name="parameters">By the names of the adapter's file, or of the model's weights.</param>
    /// <returns>In the order in which the module types come first.</returns>
    public static IReadOnlyList<TrainedParameterGroup> Of(IEnumerable<(string Name, Tensor Value)> parameters)
    {
        List<(string Group, string Path, string Form, long Count)> parts = [.. parameters.Select(p => Part(p.Name, p.Value))];
        return [.. parts.GroupBy(p => p.Group, StringComparer.Ordinal).Select(g => new TrainedParameterGroup(
            g.Key,
            g.Select(p => p.Path).Distinct(StringComparer.Ordinal).Count(),
            FormOf([.. g.Select(p => p.Form).Where(f => f.Length > 0).Distinct(StringComparer.Ordinal)]),
            g.Sum(p => p.Count)))];
    }

    /// <summary>The names are PEFT's, or those of weights. B has no form of its own: A says r.</summary>
    private static (string Group, string Path, string Form, long Count) Part(string name, Tensor value)
    {
        string[] words = name.Split('.');
        (int ending, string form) = words switch
        {
            [.., "lora_A", _] => (2, $"r {value.shape[0]}"),
            [.., "lora_B", _] => (2, ""),
            [.., "lora_magnitude_vector"] => (1, "magnitude"),
            [.., "token_adapter", _] => (2, value.shape[0] == 1 ? "1 row" : $"{value.shape[0]} rows"),
            _ => (1, TensorShapes.Text(value.shape)),
        };
        string path = string.Join('.', words[..^ending]);
        return words[^1] == "bias" ? (Biases, path, "", value.NumberOfElements) : (words[^(ending + 1)], path, form, value.NumberOfElements);
    }

    private static string FormOf(IReadOnlyList<string> forms) => forms.Count <= 3 ? string.Join(", ", forms) : $"{forms.Count} forms";
}
