// Values that a recipe may name and that are not built yet: one line each, removed when the value is built.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

internal static class RecipeSupport
{
    private static readonly IReadOnlyList<(string Key, Func<Recipe, string?> Unsupported, string Instead)> NotYet =
    [
        ("base.quantization", r => Unless(r.Base.Quantization, "none"), "none"),
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

    private static string? Unless(string value, params string[] built) => built.Contains(value) ? null : value;
}
