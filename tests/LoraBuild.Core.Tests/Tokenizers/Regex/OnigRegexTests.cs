// Patterns have Oniguruma's meaning: against a table of what the reference library matched, and what is refused.
using System.Text.Json;
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tests.Tokenizers.Regex;

public sealed class OnigRegexTests
{
    /// <summary>What Oniguruma has and this engine refuses.</summary>
    private static readonly string[] Refused =
        [@"\X", @"\G.", "(?I)é", @"\Ka", @"a\Kb", @"\101", @"\cA", @"\Qa", @"(a)\1", "(?~ab)", @"\pL", @"(?W)\w", @"\y", @"(?y{g})\X", @"[\R]"];

    [Fact]
    public void Patterns_match_what_oniguruma_matches()
    {
        Differences differences = new();
        List<string> refused = [];
        foreach (JsonElement line in GoldenParts.Lines("regex.jsonl"))
        {
            string pattern = line.GetProperty("p").GetString()!;
            if (line.TryGetProperty("error", out _))
            {
                Assert.Throws<RegexSyntaxException>(() => OnigRegex.Parse(pattern));
                continue;
            }

            if (Refused.Contains(pattern))
            {
                Assert.Throws<RegexSyntaxException>(() => OnigRegex.Parse(pattern));
                refused.Add(pattern);
                continue;
            }

            OnigRegex regex = OnigRegex.Parse(pattern);
            foreach (JsonElement c in line.GetProperty("c").EnumerateArray())
            {
                string text = c[0].GetString()!;
                List<MatchSpan> spans = [];
                DelimiterSplitter.FindRegex(regex, text, new RegexScratch(), spans);
                differences.Compare(
                    c[1].EnumerateArray().Select(m => m.GetString()!),
                    spans.Where(s => s.IsMatch && s.End > s.Start).Select(s => text[s.Start..s.End]),
                    () => $"{pattern} on {TokenizerGolden.Show(text)}");
            }
        }

        differences.AssertNone();
        Assert.Equal(Refused.Order(StringComparer.Ordinal), refused.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(@"ab\p{Nonsense}", 2, "Nonsense")]
    [InlineData(@"a(?~b)", 3, "group")]
    [InlineData(@"[[:nonsense:]]", 1, "alpha")]
    [InlineData(@"abc\K", 3, @"\K")]
    [InlineData(@"[b-a]", 2, "backwards")]
    [InlineData(@"[a-\d]", 2, "end a range")]
    [InlineData(@"\xE9", 0, @"\x{E9}")]
    [InlineData(@"x(?=a)*", 6, "no characters")]
    [InlineData(@"a{1001}", 1, "1000")]
    public void What_is_refused_is_named_with_its_position(string pattern, int position, string named)
    {
        RegexSyntaxException e = Assert.Throws<RegexSyntaxException>(() => OnigRegex.Parse(pattern));
        Assert.Equal(position, e.Position);
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_nesting_is_refused()
    {
        Assert.Throws<RegexSyntaxException>(() => OnigRegex.Parse(new string('(', 100_000) + new string(')', 100_000)));
        Assert.Throws<RegexSyntaxException>(() => OnigRegex.Parse(new string('[', 100_000) + "a" + new string(']', 100_000)));
    }
}
