// docs/recipe.md says of every key what the table of keys says, and nothing of keys that do not exist.
using System.Text;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Recipes;

public sealed class RecipeDocumentationTests
{
    private const string Begin = "<!-- keys: checked against RecipeKeys by a test -->\n";
    private const string End = "<!-- end of keys -->";

    [Fact]
    public void Every_key_is_documented_with_type_default_allowed_and_stages()
    {
        string file = Path.Combine(RecipeFixture.Repository, "docs", "recipe.md");
        string text = File.ReadAllText(file);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        int end = text.IndexOf(End, StringComparison.Ordinal);
        string expected = Tables();
        string found = text[begin..end];
        if (found == expected)
            return;

        string proposal = Path.Combine(AppContext.BaseDirectory, "recipe.md.expected");
        File.WriteAllText(proposal, text[..begin] + expected + text[end..]);
        string line = expected.Split('\n').Except(found.Split('\n')).Concat(found.Split('\n').Except(expected.Split('\n'))).FirstOrDefault() ?? "the order";
        Assert.Fail($"docs/recipe.md differs from the table of keys, first in: {line}\nWhat it should be: {proposal}");
    }

    private static string Tables()
    {
        StringBuilder text = new();
        foreach (IGrouping<string, RecipeKey> section in RecipeKeys.All.GroupBy(k => k.Name.Contains('.', StringComparison.Ordinal) ? k.Name.Split('.')[0] : ""))
        {
            text.Append('\n').Append(section.Key.Length == 0 ? "### The recipe itself" : $"### `{section.Key}`").Append("\n\n");
            text.Append("| key | type | default | allowed | makes stale | |\n|---|---|---|---|---|---|\n");
            foreach (RecipeKey key in section)
            {
                string stages = key.Stages.Count == 0 ? "nothing" : string.Join(", ", key.Stages).ToLowerInvariant();
                text.Append($"| `{key.Name}` | {key.Type} | {(key.Default is "required" or "none" && key.Name is not "base.quantization" and not "adapter.bias" ? key.Default : $"`{key.Default}`")} | {key.Allowed} | {stages} | {key.Description} |\n");
            }
        }

        return text.Append('\n').ToString();
    }
}
