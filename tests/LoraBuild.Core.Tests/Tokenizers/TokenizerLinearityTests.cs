// Long texts without the words that tokenizers are made for: the time grows with the length, not with its square.
using System.Diagnostics;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class TokenizerLinearityTests
{
    private const int Shorter = 40_000;
    private const int Factor = 4;

    private static readonly string[] Units = [" ", "\n", "\t", " \n", "a", "字", "가", "7", "!", "\u00A0", "👩‍👩‍👧", "e\u0301\u0323", "\u0301", "a b ", "aB", "'s", "한 字a1"];

    public static TheoryData<string> Names => [.. Directory.EnumerateDirectories(TokenizerGolden.Root).Where(d => File.Exists(Path.Combine(d, "tokenizer.json"))).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Four_times_the_text_takes_at_most_ten_times_as_long(string name)
    {
        Tokenizer tokenizer = TokenizerGolden.Load(name);
        Random random = new(17);
        string letters = new([.. Enumerable.Range(0, Shorter).Select(_ => (char)('a' + random.Next(26)))]);
        string added = string.Concat(tokenizer.AddedTokens.Select(t => t.Content));
        foreach (string unit in Units.Append(letters).Append(added).Where(u => u.Length > 0))
        {
            // Sixteen times is what a quadratic loop takes. Other work on the machine makes single measurements longer, hence several attempts.
            double ratio = double.MaxValue;
            for (int attempt = 0; attempt < 8 && ratio > 10; attempt++)
                ratio = Math.Min(ratio, Milliseconds(tokenizer, unit, Shorter * Factor) / Math.Max(0.5, Milliseconds(tokenizer, unit, Shorter)));
            Assert.True(ratio <= 10, $"{TokenizerGolden.Show(unit.Length > 20 ? unit[..20] : unit)}: ×{ratio:F1}");
        }
    }

    private static double Milliseconds(Tokenizer tokenizer, string unit, int units)
    {
        string text = string.Concat(Enumerable.Repeat(unit, Math.Max(1, units / unit.Length)));
        long start = Stopwatch.GetTimestamp();
        // An added token of tabs with rstrip matches at every tab to the end of the run, and shows all that it matched: as strings that is quadratic by itself.
        if (unit == "\t")
            tokenizer.EncodeToIds(text, addSpecialTokens: false);
        else
            tokenizer.Encode(text, addSpecialTokens: false);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
