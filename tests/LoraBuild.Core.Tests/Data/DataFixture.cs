// A folder with data files and a recipe over them, and what preparing it gave.
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Data;

internal sealed class DataFixture : IDisposable
{
    public const string Pair = """{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]}""";

    public string Folder { get; } = Directory.CreateTempSubdirectory("data-").FullName;

    public DiagnosticBag Bag { get; } = new();

    public string Output => Path.Combine(Folder, "out");

    public string At(string name) => Path.Combine(Folder, name);

    public string Write(string name, string text)
    {
        File.WriteAllText(At(name), text);
        return At(name);
    }

    /// <summary>Everything goes to training unless <paramref name="change"/> says otherwise.</summary>
    public Recipe Recipe(string path, string format = "auto", Func<DatasetSection, DatasetSection>? change = null, double weight = 1, IReadOnlyDictionary<string, string>? columns = null)
    {
        DatasetSection section = new()
        {
            Sources = [new DatasetSource { Path = At(path), Format = format, Weight = weight, Columns = columns ?? new Dictionary<string, string>(), Place = new RecipePlace(At("recipe.yaml"), 3, 5) }],
            Split = new SplitSection { Eval = 0 },
        };
        return new Recipe { FilePath = At("recipe.yaml"), Dataset = change is null ? section : change(section) };
    }

    public PrepareReport Prepare(Recipe recipe) => DatasetPreparation.Run(recipe, Output, Bag);

    public string[] Lines(string split = "train") => File.ReadAllLines(Path.Combine(Output, "dataset", split + ".jsonl"));

    public Conversation[] Conversations(string split = "train") => [.. Lines(split).Select(CanonicalForm.FromLine)];

    public IReadOnlyList<Diagnostic> Errors(Recipe recipe) => Assert.Throws<DiagnosticException>(() => Prepare(recipe)).Diagnostics;

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
