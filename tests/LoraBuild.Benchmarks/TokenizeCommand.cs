// The command `tokenize`: finds the tokenizers and the texts' sources from where it stands.
namespace LoraBuild.Benchmarks;

internal static class TokenizeCommand
{
    /// <param name="tokenizers">A directory of tokenizer directories; null: the reference tokenizers beside the repository, else those that the tests carry.</param>
    /// <param name="only">Names, separated by commas: of tokenizers, and with a colon before them of texts (<c>gpt2,:ko</c>).</param>
    /// <param name="writeTexts">Where to write the texts instead of measuring.</param>
    /// <param name="isHostile">Measure texts of <paramref name="bytes"/> times one character, and the like.</param>
    public static int Run(string? tokenizers, string? only, string? writeTexts, bool isHostile, int bytes, int runs, TextWriter output, TextWriter error)
    {
        string? repository = FindRepository();
        if (repository is null)
        {
            error.WriteLine("The texts are made from the repository's files: start this inside it.");
            return 1;
        }

        string[] names = only?.Split(',') ?? [];
        BenchmarkText[] texts = [.. BenchmarkTexts.Create(repository, bytes).Where(t => IsChosen(":" + t.Name, names.Where(n => n.StartsWith(':'))))];
        if (writeTexts is not null)
        {
            BenchmarkTexts.Write(writeTexts, texts);
            return 0;
        }

        string beside = Path.Combine(repository, "..", "shared", "golden", "tokenizers");
        string root = tokenizers ?? (Directory.Exists(beside) ? beside : Path.Combine(repository, "tests", "LoraBuild.Core.Tests", "golden", "tokenizers"));
        string[] directories = [.. Directory.EnumerateDirectories(root).Where(d => File.Exists(Path.Combine(d, "tokenizer.json")) && IsChosen(Path.GetFileName(d), names.Where(n => !n.StartsWith(':')))).Order(StringComparer.Ordinal)];
        if (isHostile)
            HostileTokenizeBenchmark.Run(directories, bytes, output);
        else
            TokenizeBenchmark.Run(directories, texts, runs, output);
        return 0;
    }

    private static bool IsChosen(string name, IEnumerable<string> names) => !names.Any() || names.Contains(name);

    private static string? FindRepository()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "LoraBuild.sln")))
                return directory.FullName;
        }

        return null;
    }
}
