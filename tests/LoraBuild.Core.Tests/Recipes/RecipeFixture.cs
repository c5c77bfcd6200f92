// A folder of recipe files for one test, and what reading them reports.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Recipes;

internal sealed class RecipeFixture : IDisposable
{
    /// <summary>The required keys, in lines 1 and 2.</summary>
    public const string Minimal = "base: { model: org/name }\ndataset: { sources: [ { path: data.jsonl } ] }\n";

    public string Folder { get; } = Directory.CreateTempSubdirectory("recipe-").FullName;

    public string At(string name) => Path.Combine(Folder, name);

    public string Write(string name, string yaml)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(name))!);
        File.WriteAllText(At(name), yaml);
        return At(name);
    }

    /// <summary>The recipe, or null, and all that was reported.</summary>
    public (Recipe? Recipe, IReadOnlyList<Diagnostic> Diagnostics) Read(string yaml, params string[] overrides)
    {
        DiagnosticBag bag = new();
        Recipe? recipe = RecipeReader.Read(Write("recipe.yaml", yaml), overrides, bag);
        Assert.Equal(bag.HasErrors, recipe is null);
        return (recipe, bag.All);
    }

    public Recipe ReadRight(string yaml, params string[] overrides)
    {
        (Recipe? recipe, IReadOnlyList<Diagnostic> diagnostics) = Read(yaml, overrides);
        Assert.Empty(diagnostics);
        return recipe!;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>The root of this repository.</summary>
    public static string Repository { get; } = FindRepository();

    private static string FindRepository()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "LoraBuild.sln")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("LoraBuild.sln is not above the tests.");
    }
}
