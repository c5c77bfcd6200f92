// Which questions samples.md asks: the recipe's, else the first ones of the held-out conversations.
using System.Text;
using System.Text.Json.Nodes;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Worker.Stages;

/// <param name="System">The conversation's system prompt, or null.</param>
/// <param name="Expected">What the data answer, or null.</param>
internal sealed record SampleQuestion(string? System, string Text, string? Expected);

internal static class SampleQuestions
{
    private const int Most = 5;

    /// <summary>Whether training with held-out documents asks any.</summary>
    public static bool AreAsked(Recipe recipe, StageLayout layout) => recipe.Train.SamplePrompts > 0 && Of(recipe, layout).Count > 0;

    public static IReadOnlyList<SampleQuestion> Of(Recipe recipe, StageLayout layout)
    {
        List<SampleQuestion> held = FirstOfHeldOut(Path.Combine(layout.Dataset, "eval.jsonl"));
        if (recipe.Evaluate.Prompts.Count == 0)
            return held;

        // Asked as the data ask: with the system prompt that the model was tuned with.
        string? system = recipe.Template.System ?? held.FirstOrDefault()?.System;
        return [.. recipe.Evaluate.Prompts.Select(prompt => new SampleQuestion(system, prompt, null))];
    }

    private static List<SampleQuestion> FirstOfHeldOut(string file)
    {
        List<SampleQuestion> questions = [];
        if (!File.Exists(file))
            return questions;
        using StreamReader reader = new(file, Encoding.UTF8);
        while (questions.Count < Most && reader.ReadLine() is { } line)
        {
            JsonNode? document = JsonNode.Parse(line);
            if (document?["messages"] is not JsonArray messages || StringOf(document["pair"]) == "rejected")
                continue;
            int at = messages.ToList().FindIndex(m => RoleOf(m) == "user");
            if (at < 0 || TextOf(messages[at]) is not { } text)
                continue;
            string? system = at > 0 && RoleOf(messages[0]) == "system" ? TextOf(messages[0]) : null;
            string? answer = at + 1 < messages.Count && RoleOf(messages[at + 1]) == "assistant" ? TextOf(messages[at + 1]) : null;
            questions.Add(new SampleQuestion(system, text, answer));
        }

        return questions;
    }

    private static string? RoleOf(JsonNode? message) => StringOf(message?["role"]);

    private static string? TextOf(JsonNode? message) => StringOf(message?["content"]);

    private static string? StringOf(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
