// How long tokenizers take on long texts without the words that they are made for, and whether twice the text takes twice the time.
using System.Globalization;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Benchmarks;

internal static class HostileTokenizeBenchmark
{
    private static readonly (string Name, string Unit)[] Texts =
    [
        ("spaces", " "), ("newlines", "\n"), ("space, newline", " \n"), ("one letter", "a"), ("one ideograph", "字"), ("one syllable", "가"), ("digits", "7"),
        ("punctuation", "!"), ("emoji joined", "👩‍👩‍👧"), ("marks", "e\u0301\u0323"), ("a b a b", "a b "), ("upper, lower", "aB"),
    ];

    /// <summary>Processor milliseconds for <paramref name="units"/> UTF-16 units with places, and the factor that twice as many take; the last text is the tokenizer's added tokens one behind the other.</summary>
    public static void Run(IReadOnlyList<string> directories, int units, TextWriter output)
    {
        output.WriteLine($"| tokenizer | {string.Join(" | ", Texts.Select(t => t.Name))} | added tokens |");
        output.WriteLine($"|---|{string.Concat(Texts.Select(_ => "---|"))}---|");
        foreach (string directory in directories)
        {
            Tokenizer tokenizer = Tokenizer.Load(directory);
            tokenizer.Encode("warm");
            IEnumerable<string> units1 = [.. Texts.Select(t => t.Unit), string.Concat(tokenizer.AddedTokens.Select(t => t.Content))];
            output.WriteLine($"| {Path.GetFileName(directory)} | {string.Join(" | ", units1.Select(u => Cell(tokenizer, u, units)))} |");
        }
    }

    private static string Cell(Tokenizer tokenizer, string unit, int units)
    {
        if (unit.Length == 0)
            return "–";
        double one = Measure(tokenizer, unit, units);
        double two = Measure(tokenizer, unit, units * 2);
        return string.Create(CultureInfo.InvariantCulture, $"{one * 1000:F0} ×{two / one:F1}");
    }

    private static double Measure(Tokenizer tokenizer, string unit, int units)
    {
        string text = string.Concat(Enumerable.Repeat(unit, units / unit.Length));
        return Enumerable.Range(0, 3).Min(_ => TokenizeBenchmark.Seconds(() => tokenizer.Encode(text, addSpecialTokens: false)));
    }
}
