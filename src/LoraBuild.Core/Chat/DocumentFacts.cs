// What the audit compares documents by: hashes of what they say, whatever their blanks, case and punctuation.
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using LoraBuild.Core.Data;

namespace LoraBuild.Core.Chat;

/// <param name="Content">Hash of all words.</param>
/// <param name="Question">Hash of the words before the last answer; null where there is no question.</param>
/// <param name="Answers">The assistant's words, each once.</param>
internal sealed record DocumentFacts(ulong Content, ulong? Question, IReadOnlyList<string> Answers, bool IsOutOfOrder, bool HasEmptyMessage)
{
    public static DocumentFacts Of(Conversation document)
    {
        if (document.Messages.Count == 0)
            return new DocumentFacts(Hash([document.Text ?? (document.Prompt + " " + document.Completion)]), document.Prompt is { Length: > 0 } prompt ? Hash([prompt]) : null, [], false, false);
        // The system prompt is the same in most conversations and says nothing about them.
        List<ChatMessage> said = [.. document.Messages.Where(m => m.Role is not ("system" or "developer"))];
        int last = said.FindLastIndex(m => m.Role == "assistant");
        return new DocumentFacts(
            Hash(said.Select(Words)),
            last > 0 ? Hash(said.Take(last).Select(Words)) : null,
            [.. said.Where(m => m.Role == "assistant" && !string.IsNullOrWhiteSpace(m.Content)).Select(m => m.Content!.Trim()).Distinct(StringComparer.Ordinal)],
            ConversationChecks.Disorder(document.Messages) is not null,
            ConversationChecks.HasEmptyMessage(document.Messages));
    }

    public static ulong Hash(ReadOnlySpan<int> ids) => Shorten(SHA256.HashData(MemoryMarshal.AsBytes(ids)));

    public static ulong HashExact(string text) => Shorten(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string Words(ChatMessage message) => message.Role + " " + (message.Content ?? "") + (message.Content is null || message.Raw.Count > 2 ? message.Raw.ToJsonString() : "");

    /// <summary>Letters and digits in lower case; where a message ends matters, what stands between words does not.</summary>
    private static ulong Hash(IEnumerable<string> texts)
    {
        StringBuilder words = new();
        foreach (string text in texts)
        {
            int before = words.Length;
            foreach (char c in text)
            {
                if (char.IsLetterOrDigit(c) || char.IsSurrogate(c))
                    words.Append(char.ToLowerInvariant(c));
            }

            // Nothing but signs: then they are what is said.
            if (words.Length == before)
                words.Append(text);
            words.Append('\n');
        }

        return HashExact(words.ToString());
    }

    private static ulong Shorten(byte[] hash) => BinaryPrimitives.ReadUInt64LittleEndian(hash);
}
