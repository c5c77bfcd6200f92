// Overrides (`--set train.learning_rate=2e-4`) as trees that lie over the recipe's.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

internal static class RecipeOverrides
{
    /// <summary>The recipe with the overrides over it, later ones over earlier ones. What is wrong is reported at <c>--set a.b=value</c>.</summary>
    /// <param name="baseDirectory">Absolute folder of relative paths in the overrides.</param>
    public static MapNode Apply(MapNode recipe, IReadOnlyList<string> overrides, string baseDirectory, IDiagnosticSink sink)
    {
        foreach (string text in overrides)
        {
            if (Parse(text.Trim(), baseDirectory, sink) is { } above)
            {
                // The recipe's own place stays that of its file: missing keys are reported there.
                recipe = RecipeMerge.Over(recipe, above) with { Origin = recipe.Origin, Line = recipe.Line, Column = recipe.Column };
            }
        }

        return recipe;
    }

    private static MapNode? Parse(string text, string baseDirectory, IDiagnosticSink sink)
    {
        RecipeOrigin origin = new($"--set {RecipeText.Shorten(text)}", baseDirectory);
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        string[] keys = equals < 0 ? [] : text[..equals].Split('.', StringSplitOptions.TrimEntries);
        if (keys.Length is 0 or > 8 || keys.Any(k => k.Length == 0))
        {
            sink.Report(Diagnostic.Error("LB0014", $"an override must have the form key=value, such as train.learning_rate=2e-4; got {RecipeText.Quote(text)}.", origin.File));
            return null;
        }

        if (keys[0] == RecipeFiles.ExtendsKey)
        {
            sink.Report(Diagnostic.Error("LB0014", "extends cannot be overridden; write it in the recipe.", origin.File));
            return null;
        }

        RecipeNode? node = RecipeYaml.Parse(text[(equals + 1)..], origin, hasPlaces: false, sink);
        if (node is null)
            return null;
        RecipePlace place = new(origin.File, 0, 0);
        foreach (string key in keys.Reverse())
            node = new MapNode(origin, 0, 0, node.Weight + 1, [new MapEntry(key, place, node)]);
        return (MapNode)node;
    }
}
