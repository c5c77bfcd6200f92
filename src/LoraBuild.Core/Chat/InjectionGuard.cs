// Keeps special tokens that stand in a user's words from becoming control tokens: private-use characters stand in for them while the template renders.
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat.Jinja;
using LoraBuild.Core.Data;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

/// <param name="Start">Where the piece begins in the rendered text, in code points.</param>
internal sealed record GuardedPiece(string Text, int Start, bool IsInjected);

/// <param name="controls">Special tokens, the longest first.</param>
internal sealed class InjectionGuard(IReadOnlyList<AddedToken> controls)
{
    // Plane 16 private use: no text has them; where one does, the next is taken.
    private const int FirstStandIn = 0x10F000;

    private readonly List<(string StandIn, string Token)> found = [];

    public IReadOnlyList<string> Found => [.. found.Select(f => f.Token)];

    /// <summary>The conversation with stand-ins; itself when there is nothing to guard. An assistant's words are the author's own and stay.</summary>
    public Conversation Protect(Conversation conversation)
    {
        if (!conversation.Messages.Any(m => m.Role != "assistant" && Contents(m.Raw).Any(c => controls.Any(t => c.Contains(t.Content, StringComparison.Ordinal)))))
            return conversation;
        return conversation with { Messages = [.. conversation.Messages.Select(m => m.Role == "assistant" ? m : Protect(m, conversation))] };
    }

    /// <summary>The rendered text in order, each guarded token as a piece of its own.</summary>
    public IEnumerable<GuardedPiece> Split(string text)
    {
        int from = 0;
        int start = 0;
        for (int i = 0; i < text.Length && found.Count > 0; i++)
        {
            if (!char.IsHighSurrogate(text[i]) || i + 1 == text.Length)
                continue;
            int at = found.FindIndex(f => string.CompareOrdinal(text, i, f.StandIn, 0, 2) == 0);
            if (at < 0)
                continue;
            string before = text[from..i];
            if (before.Length > 0)
                yield return new GuardedPiece(before, start, false);
            start += PyText.Length(before);
            yield return new GuardedPiece(found[at].Token, start, true);
            start++;
            from = i + 2;
            i++;
        }

        if (from < text.Length || from == 0)
            yield return new GuardedPiece(text[from..], start, false);
    }

    private static IEnumerable<string> Contents(JsonObject raw)
    {
        if (raw["content"] is JsonArray parts)
            return parts.OfType<JsonObject>().Select(p => p["text"]).Where(t => t?.GetValueKind() == JsonValueKind.String).Select(t => (string)t!);
        return raw["content"] is JsonNode content && content.GetValueKind() == JsonValueKind.String ? [(string)content!] : [];
    }

    private ChatMessage Protect(ChatMessage message, Conversation conversation)
    {
        JsonObject raw = (JsonObject)message.Raw.DeepClone();
        if (raw["content"] is JsonArray parts)
        {
            foreach (JsonObject part in parts.OfType<JsonObject>().Where(p => p["text"]?.GetValueKind() == JsonValueKind.String))
                part["text"] = Replace((string)part["text"]!, conversation);
        }
        else if (raw["content"]?.GetValueKind() == JsonValueKind.String)
        {
            raw["content"] = Replace((string)raw["content"]!, conversation);
        }

        return message with { Raw = raw, Content = raw["content"]?.GetValueKind() == JsonValueKind.String ? (string)raw["content"]! : message.Content };
    }

    private string Replace(string text, Conversation conversation)
    {
        StringBuilder result = new();
        for (int i = 0; i < text.Length;)
        {
            AddedToken? token = controls.FirstOrDefault(t => string.CompareOrdinal(text, i, t.Content, 0, t.Content.Length) == 0);
            if (token is null)
            {
                result.Append(text[i++]);
                continue;
            }

            result.Append(StandIn(token.Content, conversation));
            i += token.Content.Length;
        }

        return result.ToString();
    }

    private string StandIn(string token, Conversation conversation)
    {
        int at = found.FindIndex(f => f.Token == token);
        if (at >= 0)
            return found[at].StandIn;
        int code = found.Count == 0 ? FirstStandIn : char.ConvertToUtf32(found[^1].StandIn, 0) + 1;
        while (conversation.Messages.Any(m => Contents(m.Raw).Any(c => c.Contains(char.ConvertFromUtf32(code), StringComparison.Ordinal))))
            code++;
        found.Add((char.ConvertFromUtf32(code), token));
        return found[^1].StandIn;
    }
}
