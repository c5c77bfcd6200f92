// The examples that `template --show` prints: documents of tokens/train.safetensors with the line of the data that each comes from.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Models;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Inspection;

internal static class TokenExamples
{
    /// <exception cref="DiagnosticException">LB0831: there are no tokens; LB005x: the tokenizer is nowhere.</exception>
    public static IEnumerable<string> Lines(Recipe recipe, StageLayout layout, IReadOnlyList<string> modelCaches, int count, bool isColoured)
    {
        TokenDocuments documents = StageTokens.Read(layout, "train");
        Tokenizer tokenizer = Tokenizer.Load(BaseModelLocator.Locate(recipe.Base.Tokenizer ?? recipe.Base.Model, modelCaches, recipe.PlaceOf("base.tokenizer"), ModelContent.Tokenizer).Directory);
        IReadOnlyList<ChosenExample> chosen = ExampleChoice.Choose([.. Enumerable.Range(0, documents.Count).Select(i => documents[i].Length)], count);
        string dataset = Path.Combine(layout.Dataset, "train.jsonl");
        IReadOnlyDictionary<int, string> places = File.Exists(dataset)
            ? ExampleChoice.Places(dataset, LeftOut(layout.Audit), chosen.Select(c => c.Document).ToHashSet())
            : new Dictionary<int, string>();
        for (int i = 0; i < chosen.Count; i++)
        {
            TokenDocument document = documents[chosen[i].Document];
            int trained = document.Labels.Span.Length - document.Labels.Span.Count(TokensFile.IgnoredLabel);
            string place = places.TryGetValue(chosen[i].Document, out string? line) ? line : "given as tokens";
            yield return FormattableString.Invariant($"── example {i + 1} of {chosen.Count}: {chosen[i].Name} ── {place} ── {document.Length} tokens, {trained} trained ──");
            foreach (string text in ExampleView.Text(tokenizer, document, isColoured).TrimEnd('\n').Split('\n'))
                yield return text;
            yield return "";
        }

        yield return isColoured ? ExampleView.ColourLegend : ExampleView.PlainLegend;
    }

    /// <summary>Lines of dataset/train.jsonl that have no tokens; none where the tokens are another program's.</summary>
    private static HashSet<int> LeftOut(string audit)
    {
        if (!File.Exists(audit) || JsonNode.Parse(File.ReadAllText(audit))?["left_out"] is not JsonArray leftOut)
            return [];
        return [.. leftOut.Where(d => (string?)d!["split"] == "train").Select(d => (int)d!["dataset_line"]!)];
    }
}
