// Keeps control tokens that stand in a user's words from becoming control tokens: a private-use character stands in for the first character of each while the template renders.
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Data;

namespace LoraBuild.Core.Chat;

/// <param name="Guarded">The places in <paramref name="Text"/>, in UTF-16 units and in order, that are part of no control token.</param>
internal sealed record GuardedText(string Text, int[] Guarded);

/// <summary>One conversation's. One character stands for one, so places in the rendered text, counted in code points, are those of the text itself.</summary>
/// <param name="controls">What is guarded.</param>
internal sealed class InjectionGuard(ControlTokens controls)
{
    // Plane 16 private use: no text has them; where one does, the next is taken.
    private const int FirstStandIn = 0x10F000;

    private readonly Dictionary<int, int> standIns = []; // of a code point
    private readonly Dictionary<int, int> originals = [];
    private readonly List<string> found = [];
    private int nextStandIn = FirstStandIn;

    /// <summary>The tokens in words that are not the assistant's, in the order in which they were found.</summary>
    public IReadOnlyList<string> Found => found;

    /// <summary>The conversation with stand-ins; itself when there is nothing to guard. An assistant's words are the author's own and stay.</summary>
    public Conversation Protect(Conversation conversation)
    {
        bool hasTools = conversation.Tools is not null && Holds(Texts(conversation.Tools));
        if (!hasTools && !conversation.Messages.Any(m => m.Role != "assistant" && Holds(Texts(m.Raw))))
            return conversation;
        HashSet<int> taken = [.. conversation.Messages.SelectMany(m => Texts(m.Raw)).SelectMany(t => t.EnumerateRunes()).Select(r => r.Value).Where(c => c >= FirstStandIn)];
        return conversation with
        {
            Messages = [.. conversation.Messages.Select(m => m.Role == "assistant" ? m : Protect(m, taken))],
            Tools = hasTools ? (JsonArray)Replaced(conversation.Tools!, taken)! : conversation.Tools,
        };
    }

    /// <summary>The rendered text as it is meant, and where it holds what a user wrote.</summary>
    public GuardedText Restore(string rendered)
    {
        if (originals.Count == 0)
            return new GuardedText(rendered, []);
        StringBuilder text = new(rendered.Length);
        List<int> guarded = [];
        for (int i = 0; i < rendered.Length; i++)
        {
            if (!char.IsSurrogatePair(rendered, i) || !originals.TryGetValue(char.ConvertToUtf32(rendered, i), out int original))
            {
                text.Append(rendered[i]);
                continue;
            }

            guarded.Add(text.Length);
            text.Append(char.ConvertFromUtf32(original));
            i++;
        }

        return new GuardedText(text.ToString(), [.. guarded]);
    }

    /// <summary>Texts that a template may print: all of a message but its role, at any depth. Parts of one list may be printed as one text, so they come as one.</summary>
    private static IEnumerable<string> Texts(JsonNode node) => node switch
    {
        JsonObject o => o.Where(f => f.Key != "role" && f.Value is not null).SelectMany(f => Texts(f.Value!)),
        JsonArray a => [.. a.Where(n => n is not null).SelectMany(n => Texts(n!)), Joined(a)],
        _ => node.GetValueKind() == JsonValueKind.String ? [(string)node!] : [],
    };

    private static string Joined(JsonArray parts) => string.Concat(parts.OfType<JsonObject>().Select(TextOf));

    private static string TextOf(JsonObject part) => part["text"] is JsonValue value && value.TryGetValue(out string? text) ? text : "";

    private bool Holds(IEnumerable<string> texts) => texts.Any(t => controls.FindIn(t).Count > 0);

    private ChatMessage Protect(ChatMessage message, HashSet<int> taken)
    {
        JsonObject raw = (JsonObject)Replaced(message.Raw, taken)!;
        return message with { Raw = raw, Content = raw["content"]?.GetValueKind() == JsonValueKind.String ? (string)raw["content"]! : message.Content };
    }

    private JsonNode? Replaced(JsonNode? node, HashSet<int> taken)
    {
        switch (node)
        {
            case JsonObject o:
                return new JsonObject(o.Select(f => KeyValuePair.Create(f.Key, f.Key == "role" ? f.Value?.DeepClone() : Replaced(f.Value, taken))));
            case JsonArray a:
                JsonArray copy = new([.. a.Select(n => Replaced(n, taken))]);
                ReplaceAcross(copy, taken);
                return copy;
            default:
                return node?.GetValueKind() == JsonValueKind.String ? JsonValue.Create(Replace((string)node!, taken)) : node?.DeepClone();
        }
    }

    /// <summary>Tokens that only become whole where a template prints one part behind the other.</summary>
    private void ReplaceAcross(JsonArray parts, HashSet<int> taken)
    {
        string joined = Joined(parts);
        string replaced = Replace(joined, taken);
        if (replaced == joined)
            return;
        // A stand-in may have more units than what it stands for; code points stay as many.
        Queue<Rune> runes = new(replaced.EnumerateRunes());
        foreach (JsonObject part in parts.OfType<JsonObject>().Where(p => TextOf(p).Length > 0))
            part["text"] = string.Concat(TextOf(part).EnumerateRunes().Select(_ => runes.Dequeue()));
    }

    private string Replace(string text, HashSet<int> taken)
    {
        IReadOnlyList<(int Start, string Token)> places = controls.FindIn(text);
        if (places.Count == 0)
            return text;
        StringBuilder result = new();
        int done = 0;
        foreach ((int start, string token) in places)
        {
            if (!found.Contains(token))
                found.Add(token);
            int original = char.ConvertToUtf32(text, start);
            string standIn = char.ConvertFromUtf32(StandIn(original, taken));
            result.Append(text, done, start - done).Append(standIn);
            done = start + (original > char.MaxValue ? 2 : 1);
        }

        return result.Append(text, done, text.Length - done).ToString();
    }

    private int StandIn(int original, HashSet<int> taken)
    {
        ref int standIn = ref CollectionsMarshal.GetValueRefOrAddDefault(standIns, original, out bool isKnown);
        if (isKnown)
            return standIn;
        while (taken.Contains(nextStandIn))
            nextStandIn++;
        standIn = nextStandIn++;
        originals.Add(standIn, original);
        return standIn;
    }
}
