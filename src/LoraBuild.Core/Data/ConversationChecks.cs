// What cannot be trained is refused, what is suspicious is a warning.
namespace LoraBuild.Core.Data;

internal static class ConversationChecks
{
    private static readonly HashSet<string> KnownRoles = ["system", "developer", "user", "assistant", "tool", "function", "ipython"];

    /// <summary>True when the document can be trained; else it was rejected.</summary>
    public static bool Check(Conversation document, DataFindings findings)
    {
        if (document.Rejected is { } rejected)
            return Check(document with { Rejected = null }, findings) && Check(rejected, findings);
        (string file, int line) = (document.SourceFile, document.SourceLine);
        if (document.Text is not null || document.Completion is not null)
        {
            if ((document.Text ?? document.Completion)!.AsSpan().Trim().IsEmpty)
                return Reject("LB0108", "The text to be trained is empty.");
            return true;
        }

        if (document.Messages.Count == 0)
            return Reject("LB0106", "The conversation has no messages.");
        List<ChatMessage> answers = [.. document.Messages.Where(m => m.Role == "assistant")];
        if (answers.Count == 0)
            return Reject("LB0106", $"The conversation has no assistant turn, so nothing in it can be trained; its roles are {Roles(document)}.");
        if (answers.TrueForAll(IsEmpty))
            return Reject("LB0108", "Every assistant turn of the conversation is empty.");
        if (answers.TrueForAll(m => m.Train == false))
            return Reject("LB0106", "Every assistant turn of the conversation has train: false or weight: 0, so nothing in it can be trained.");
        Warn(document, findings);
        return true;

        bool Reject(string code, string message)
        {
            findings.Reject(code, message, file, line);
            return false;
        }
    }

    private static void Warn(Conversation document, DataFindings findings)
    {
        if (Disorder(document.Messages) is string disorder)
            findings.Warn("LB0107", $"{disorder} Its roles are {Roles(document)}.", document.SourceFile, document.SourceLine);
        if (HasEmptyMessage(document.Messages))
            findings.Warn("LB0113", "A user's or assistant's message is empty.", document.SourceFile, document.SourceLine);
        if (document.Messages.Any(m => m.Role != "assistant" && m.Train == true))
            findings.Warn("LB0115", "train: true stands on a message that is not the assistant's; only the assistant's are trained.", document.SourceFile, document.SourceLine);
    }

    public static bool HasEmptyMessage(IReadOnlyList<ChatMessage> messages) => messages.Any(m => m.Role is "user" or "assistant" && IsEmpty(m));

    /// <summary>What is unusual about the order of the roles; null when nothing is.</summary>
    public static string? Disorder(IReadOnlyList<ChatMessage> messages)
    {
        string? previous = null;
        for (int i = 0; i < messages.Count; i++)
        {
            string role = messages[i].Role;
            if (!KnownRoles.Contains(role))
                return $"The role '{role}' is unusual.";
            if (role is "system" or "developer")
            {
                if (i > 0)
                    return "A system message stands behind the beginning.";
                continue;
            }

            if (previous is null && role != "user")
                return "The conversation does not begin with the user.";
            if (role == previous && role is "user" or "assistant" && role == previous)
                return $"Two messages of the {role} follow one another.";
            previous = role;
        }

        return previous == "assistant" ? null : $"The conversation ends with the {previous}'s message, which is not trained.";
    }

    /// <summary>No words, no parts and no tool calls.</summary>
    private static bool IsEmpty(ChatMessage message) =>
        string.IsNullOrWhiteSpace(message.Content) && message.Raw["content"] is not System.Text.Json.Nodes.JsonArray { Count: > 0 } && message.Raw["tool_calls"] is not System.Text.Json.Nodes.JsonArray { Count: > 0 };

    private static string Roles(Conversation document) => string.Join(", ", document.Messages.Take(12).Select(m => m.Role)) + (document.Messages.Count > 12 ? ", …" : "");
}
