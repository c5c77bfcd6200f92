// docs/errors.md has an entry for every code that the sources use, and for no other.
using System.Text.RegularExpressions;
using LoraBuild.Core.Tests.Recipes;

namespace LoraBuild.Core.Tests.Diagnostics;

public sealed partial class ErrorsPageTests
{
    private static string Page { get; } = File.ReadAllText(Path.Combine(RecipeFixture.Repository, "docs", "errors.md"));

    [Fact]
    public void Every_code_in_the_sources_has_an_entry_and_every_entry_is_used()
    {
        string[] extensions = [".cs", ".targets", ".props", ".cpp", ".sh", ".txt"];
        HashSet<string> used = [.. Directory.EnumerateFiles(Path.Combine(RecipeFixture.Repository, "src"), "*", SearchOption.AllDirectories)
            .Where(f => extensions.Contains(Path.GetExtension(f)))
            .SelectMany(f => QuotedCode().Matches(File.ReadAllText(f)).Select(m => m.Groups["code"].Value))];
        string lacking = string.Join(", ", used.Except(Entries()).Order(StringComparer.Ordinal));
        string unused = string.Join(", ", Entries().Except(used).Order(StringComparer.Ordinal));
        Assert.True((lacking, unused) == ("", ""), $"docs/errors.md lacks [{lacking}] and has entries of no code: [{unused}].");
    }

    [Fact]
    public void Every_entry_stands_once_in_the_section_of_its_hundred_with_a_title_and_a_mend()
    {
        Assert.Equal(Entries().Distinct(), Entries());
        foreach (string section in Page.Split("\n## ")[1..])
        {
            string hundred = section[..4];
            foreach (string entry in section.Split("\n### ")[1..])
            {
                Assert.StartsWith(hundred, entry, StringComparison.Ordinal);
                Assert.True(entry.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length >= 3, $"{entry[..6]} needs a title and how to mend it.");
            }
        }
    }

    private static IEnumerable<string> Entries() => EntryHeading().Matches(Page).Select(m => m.Groups["code"].Value);

    // In C# a code is a string; in MSBuild files it is an attribute or the text of one.
    [GeneratedRegex("""["';](?<code>LB\d{4})["';]""", RegexOptions.CultureInvariant)]
    private static partial Regex QuotedCode();

    [GeneratedRegex(@"^### (?<code>LB\d{4})\b", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex EntryHeading();
}
