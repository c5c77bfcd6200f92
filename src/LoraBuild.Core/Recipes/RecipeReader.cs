// Recipe file → records: file, extends, overrides, values, checks, in this order. All errors are reported together.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

public static class RecipeReader
{
    /// <summary>Reads a recipe with everything that it extends.</summary>
    /// <param name="path">The recipe file.</param>
    /// <param name="overrides"><c>train.learning_rate=2e-4</c>: dotted key and a YAML value; later ones win.</param>
    /// <param name="sink">Receives every error, each at its own file, line and column.</param>
    /// <param name="overrideBasePath">Folder of relative paths in overrides; null: the recipe's.</param>
    /// <returns>The recipe with absolute paths, or null when an error was reported.</returns>
    public static Recipe? Read(string path, IReadOnlyList<string> overrides, IDiagnosticSink sink, string? overrideBasePath = null)
    {
        path = Path.GetFullPath(path);
        DiagnosticBag bag = new(sink);
        if (new RecipeFiles(bag).Load(path, namedAt: null) is not { } tree)
            return null;
        tree = RecipeOverrides.Apply(tree, overrides, Path.GetFullPath(overrideBasePath ?? Path.GetDirectoryName(path)!), bag);

        SortedDictionary<string, RecipePlace> places = new(StringComparer.Ordinal) { [""] = new RecipePlace(path, 1, 1) };
        Recipe recipe = new() { FilePath = path, Name = CompositeKinds.FileNameFrom(path), Places = places };
        recipe = KeyWalk.Read(tree, "", RecipeKeys.Bound, recipe, bag, places);
        RecipeChecks.Check(recipe, bag);
        return bag.HasErrors ? null : recipe;
    }
}
