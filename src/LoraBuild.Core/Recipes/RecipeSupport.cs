// Values that a recipe may name and that are not built yet: one line each, removed when the value is built.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

internal static class RecipeSupport
{
    private static readonly IReadOnlyList<(string Key, Func<Recipe, string?> Unsupported, string Instead)> NotYet =
    [
        ("base.compute_dtype", r => r.Base.ComputeDtype == "float16" ? "float16" : null, "float32 or bfloat16"),
    ];

    public static void Check(Recipe recipe, IDiagnosticSink sink)
    {
        foreach ((string key, Func<Recipe, string?> unsupported, string instead) in NotYet)
        {
            if (unsupported(recipe) is { } value)
                Report(recipe.PlaceOf(key), key, value, instead, sink);
        }

    }

    private static void Report(RecipePlace place, string key, string value, string instead, IDiagnosticSink sink) =>
        sink.Report(Diagnostic.Error("LB0015", $"{key}: {value} is not supported yet. Use {instead}.", place.File, place.Line, place.Column));
}
