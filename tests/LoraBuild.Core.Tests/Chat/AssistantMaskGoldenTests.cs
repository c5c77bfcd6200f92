// The template's marks as transformers computes them: spans of text over every row. Rows with their own source are this project's; the others are third-party.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Tokenizers;
using Xunit.Abstractions;

namespace LoraBuild.Core.Tests.Chat;

public sealed class AssistantMaskGoldenTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_generation_span_of_our_own_rows_is_transformers_span()
    {
        int count = 0;
        List<string> failures = [];
        foreach (JsonObject row in File.ReadLines(ChatGolden.File("masks-gen.jsonl")).Select(l => JsonNode.Parse(l)!.AsObject()))
        {
            count++;
            ChatRenderResult result = ChatTemplate.Parse((string)row["source"]!, (string)row["template"]!).Render(new ChatRenderRequest { Messages = row["messages"]!.AsArray() });
            Compare(row, result, failures);
        }

        Assert.Equal(220, count);
        Assert.Empty(failures);
    }

    [Fact]
    public void Every_generation_span_of_templates_in_use_is_transformers_span()
    {
        if (ChatGolden.Shared("templates") is not string folder)
        {
            output.WriteLine("skipped: the shared golden data with third-party templates is not on this machine");
            return;
        }

        Dictionary<string, JsonObject> conversations = File.ReadLines(Path.Combine(folder, "conversations.jsonl")).Select(l => JsonNode.Parse(l)!.AsObject()).ToDictionary(c => (string)c["id"]!);
        JsonObject tokens = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "src", "tokens.json")))!.AsObject();
        List<string> failures = [];
        foreach (JsonObject row in File.ReadLines(Path.Combine(folder, "masks.jsonl")).Select(l => JsonNode.Parse(l)!.AsObject()).Where(r => r["source"] is null && r["error"] is null))
        {
            string name = (string)row["template"]!;
            JsonObject variables = [];
            JsonObject map = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "..", "tokenizers", (string)row["tokenizer"]!, "special_tokens_map.json")))!.AsObject();
            foreach ((string key, JsonNode? token) in map.Concat(tokens[name]!.AsObject()))
            {
                string? content = token is JsonObject o ? (string?)o["content"] : token is JsonValue ? (string?)token : null;
                if (content is { Length: > 0 })
                    variables[key] = content;
            }

            ChatTemplate template = ChatTemplate.Parse(File.ReadAllText(Path.Combine(folder, "src", name + ".jinja")), name);
            ChatRenderResult result = template.Render(ChatRows.Request(conversations[(string)row["conv"]!], variables));
            Compare(row, result, failures);
            CompareTokens(row, result, failures);
        }

        Assert.True(failures.Count == 0, $"{failures.Count} rows differ:\n{string.Join("\n", failures.Take(20))}");
    }

    private static void Compare(JsonObject row, ChatRenderResult result, List<string> failures)
    {
        string spans = ChatRows.Spans(result.Assistant ?? []);
        if (result.Text != (string)row["text"]! || spans != row["spans"]!.ToJsonString())
            failures.Add($"{row["template"]} / {row["tokenizer"]} / {row["conv"]}: {spans}, expected {row["spans"]!.ToJsonString()}; text {(result.Text == (string)row["text"]! ? "equal" : result.Text)}");
    }

    /// <summary>Our labels against transformers' assistant masks, through our own tokenizer.</summary>
    private static void CompareTokens(JsonObject row, ChatRenderResult result, List<string> failures)
    {
        string folder = Path.Combine(Recipes.RecipeFixture.Repository, "tests", "LoraBuild.Core.Tests", "golden", "tokenizers", (string)row["tokenizer"]!);
        Tokenizer tokenizer = Tokenizers.TryGetValue(folder, out Tokenizer? known) ? known : Tokenizers[folder] = Tokenizer.Load(folder);
        Encoding encoding = tokenizer.Encode(result.Text, addSpecialTokens: false);
        int[] labels = TokenLabels.FromRanges(encoding, result.Assistant ?? []);
        string mask = string.Concat(labels.Select(l => l == -100 ? '0' : '1'));
        if (mask != (string)row["assistant_masks"]!)
            failures.Add($"{row["template"]} / {row["tokenizer"]} / {row["conv"]}: mask\n  {mask}, expected\n  {row["assistant_masks"]}");
    }

    private static readonly Dictionary<string, Tokenizer> Tokenizers = [];
}
