// A row with two answers to one prompt: chosen is the better one, rejected the worse.
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Data;

/// <summary>
/// Lists of messages are conversations: with a list <c>prompt</c> the answers go on from it, without one they are whole conversations that begin alike.
/// Texts are trained as they are, without a chat template; without a <c>prompt</c> what both begin with is it.
/// </summary>
internal static class PreferenceReader
{
    /// <param name="names">The row's columns, for messages.</param>
    /// <exception cref="RowException">LB0102: a column is missing; LB0105: a field has the wrong type; LB0117: the answers make no pair.</exception>
    public static Conversation Read(JsonObject fields, string names)
    {
        JsonNode? prompt = ConversationReader.Parsed(fields["prompt"]);
        JsonNode chosen = ConversationReader.Parsed(fields["chosen"]) ?? throw new RowException("LB0102", $"a preference pair needs 'chosen'; the row has {names}");
        JsonNode rejected = ConversationReader.Parsed(fields["rejected"]) ?? throw new RowException("LB0102", $"a preference pair needs 'rejected'; the row has {names}");
        Conversation pair = (chosen, rejected) switch
        {
            (JsonArray better, JsonArray worse) => FromMessages(prompt, better, worse),
            (JsonValue, JsonValue) when IsText(chosen) && IsText(rejected) && (prompt is null || IsText(prompt)) => FromTexts((string?)prompt, (string)chosen!, (string)rejected!),
            _ => throw new RowException("LB0105", "'chosen' and 'rejected' must both be texts, or both lists of messages ('prompt' beside texts a text)"),
        };
        return CanonicalForm.Hash(pair with { Rejected = null }).AsSpan().SequenceEqual(CanonicalForm.Hash(pair.Rejected!))
            ? throw new RowException("LB0117", "the chosen and the rejected answer are the same")
            : pair;
    }

    private static bool IsText(JsonNode node) => node.GetValueKind() == JsonValueKind.String;

    private static Conversation FromTexts(string? prompt, string chosen, string rejected)
    {
        if (prompt is null)
        {
            // Up to the last blank before the difference, so that no word is cut.
            int common = chosen.AsSpan().CommonPrefixLength(rejected);
            common = chosen.AsSpan(0, common).LastIndexOfAny(" \t\r\n") + 1;
            (prompt, chosen, rejected) = (chosen[..common], chosen[common..], rejected[common..]);
        }

        return new Conversation { Prompt = prompt, Completion = chosen, Rejected = new Conversation { Prompt = prompt, Completion = rejected } };
    }

    private static Conversation FromMessages(JsonNode? prompt, JsonArray chosen, JsonArray rejected)
    {
        IReadOnlyList<ChatMessage> better = ConversationReader.FromMessages(chosen).Messages;
        IReadOnlyList<ChatMessage> worse = ConversationReader.FromMessages(rejected).Messages;
        IReadOnlyList<ChatMessage> given;
        if (prompt is JsonArray list)
        {
            given = ConversationReader.FromMessages(list).Messages;
        }
        else
        {
            // A text beside whole conversations repeats their question (UltraFeedback).
            int common = 0;
            while (common < better.Count && common < worse.Count && JsonNode.DeepEquals(better[common].Raw, worse[common].Raw))
                common++;
            (given, better, worse) = ([.. better.Take(common)], [.. better.Skip(common)], [.. worse.Skip(common)]);
        }

        if (given.Count == 0)
            throw new RowException("LB0117", "the answers share no prompt: give a 'prompt', or conversations that begin with the same messages");
        return Answered(better) with { Rejected = Answered(worse) };

        // Only the answer is compared, whatever the assistant said before.
        Conversation Answered(IReadOnlyList<ChatMessage> answer) => answer is [{ Role: "assistant" }]
            ? new Conversation { Messages = [.. given.Select(m => m.Role == "assistant" ? m with { Train = false } : m), answer[0] with { Train = null }] }
            : throw new RowException("LB0117", $"an answer must be one assistant message behind the prompt, but there are {answer.Count}: {string.Join(", ", answer.Take(5).Select(m => m.Role))}");
    }
}
