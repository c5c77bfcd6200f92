// Finds and reads the reference data of the tokenizer tests; golden/tokenizers/README.md describes every file.
using System.Text.Json;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Tokenizers;

internal static class TokenizerGolden
{
    private static readonly Dictionary<string, Tokenizer> Loaded = [];

    public static string Root { get; } = FindRoot();

    public static string[] Strings { get; } = [.. Lines("strings.jsonl").Select(l => l.GetProperty("text").GetString()!)];

    public static string[] FuzzStrings { get; } = [.. Lines("fuzz_strings.jsonl").Select(l => l.GetProperty("text").GetString()!)];

    public static Tokenizer Load(string name)
    {
        lock (Loaded)
        {
            if (!Loaded.TryGetValue(name, out Tokenizer? tokenizer))
                Loaded[name] = tokenizer = Tokenizer.Load(Path.Combine(Root, name));
            return tokenizer;
        }
    }

    public static IEnumerable<JsonElement> Lines(string file) =>
        File.ReadAllText(Path.Combine(Root, file)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonElement.Parse(l));

    public static int[] Ints(this JsonElement line, string name) => [.. line.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];

    public static int[] IntsOr(this JsonElement line, string name, int[] otherwise) => line.TryGetProperty(name, out _) ? line.Ints(name) : otherwise;

    public static string[] Texts(this JsonElement line, string name) => [.. line.GetProperty(name).EnumerateArray().Select(e => e.GetString()!)];

    public static string StringOr(this JsonElement line, string name, string otherwise) => line.TryGetProperty(name, out JsonElement e) ? e.GetString()! : otherwise;

    public static int[] Flatten(IEnumerable<(int Start, int End)> offsets) => [.. offsets.SelectMany(o => new[] { o.Start, o.End })];

    public static string Show(string text) => JsonSerializer.Serialize(text);

    private static string FindRoot()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            string candidate = Path.Combine(directory.FullName, "tests", "LoraBuild.Core.Tests", "golden", "tokenizers");
            if (Directory.Exists(candidate))
                return candidate;
        }

        throw new DirectoryNotFoundException("tests/LoraBuild.Core.Tests/golden/tokenizers is missing");
    }
}

/// <summary>Collects differences so that a test names the first few of them instead of only one.</summary>
internal sealed class Differences
{
    private readonly List<string> all = [];

    public int Compared { get; private set; }

    public void Compare<T>(IEnumerable<T> expected, IEnumerable<T> actual, Func<string> what)
    {
        Compared++;
        if (!expected.SequenceEqual(actual))
            all.Add($"{what()}\n  expected {string.Join(' ', expected.Take(40))}\n  actual   {string.Join(' ', actual.Take(40))}");
    }

    public void Compare(string? expected, string? actual, Func<string> what)
    {
        Compared++;
        if (!string.Equals(expected, actual, StringComparison.Ordinal))
            all.Add($"{what()}\n  expected {TokenizerGolden.Show(expected ?? "null")}\n  actual   {TokenizerGolden.Show(actual ?? "null")}");
    }

    public void AssertNone()
    {
        Assert.True(Compared > 0, "nothing was compared");
        Assert.True(all.Count == 0, $"{all.Count} of {Compared} differ:\n{string.Join('\n', all.Take(8))}");
    }
}
