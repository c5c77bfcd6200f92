// Which characters of a rendered conversation are targets: the template's marks, or else the differences between renderings of its prefixes.
using System.Text;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat.Jinja;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Chat;

/// <param name="Text">The whole conversation.</param>
/// <param name="Targets">Ranges [start, end) in code points, in order.</param>
internal sealed record RenderedConversation(string Text, IReadOnlyList<(int Start, int End)> Targets);

internal static class TargetRanges
{
    /// <param name="loss">assistant | all | last.</param>
    /// <param name="now">The clock behind <c>strftime_now</c>.</param>
    /// <exception cref="DiagnosticException">LB0302–LB0305 from the template; LB0310, LB0311 when its marks cannot be trusted.</exception>
    public static RenderedConversation Render(ChatTemplate template, Conversation conversation, JsonObject variables, string loss, DateTime now)
    {
        JsonArray messages = new([.. conversation.Messages.Select(m => m.Raw.DeepClone())]);
        ChatRenderRequest request = new() { Messages = messages, Tools = conversation.Tools, Variables = variables, Now = now };
        ChatRenderResult whole = template.Render(request);
        if (loss == "all")
            return new RenderedConversation(whole.Text, [(0, PyText.Length(whole.Text))]);
        bool[] trained = [.. conversation.Messages.Select((m, i) => IsTrained(conversation.Messages, i, loss))];
        if (whole.Assistant is not null)
            return new RenderedConversation(whole.Text, Marked(template, whole.Text, conversation.Messages, whole.Assistant, trained));
        return new RenderedConversation(whole.Text, ByPrefixes(template, request, whole.Text, conversation.Messages, trained));
    }

    private static bool IsTrained(IReadOnlyList<ChatMessage> messages, int index, string loss)
    {
        ChatMessage message = messages[index];
        if (message.Role != "assistant" || message.Train == false)
            return false;
        return loss != "last" || messages.Skip(index + 1).All(m => m.Role != "assistant" || m.Train == false);
    }

    /// <summary>All marks when every answer is trained; else one mark an answer is needed to tell them apart.</summary>
    private static List<(int Start, int End)> Marked(ChatTemplate template, string text, IReadOnlyList<ChatMessage> messages, IReadOnlyList<(int Start, int End)> marks, bool[] trained)
    {
        int[] answers = [.. Enumerable.Range(0, messages.Count).Where(i => messages[i].Role == "assistant")];
        if (answers.All(i => trained[i]))
            return [.. marks];
        if (marks.Count != answers.Length)
            throw new DiagnosticException("LB0311", $"the template marks {marks.Count} generation blocks for {answers.Length} assistant turns, so it is not known which of them belongs to which turn. Write one {{% generation %}} block around each assistant turn, or train all of them (loss: assistant, no train: false).", template.Name);
        // As many marks as turns may still be two of one turn and none of another.
        Rune[] runes = [.. text.EnumerateRunes()];
        for (int i = 0; i < marks.Count; i++)
        {
            if (LastWords(messages[answers[i]]) is { Length: > 0 } words && !string.Concat(runes[marks[i].Start..marks[i].End]).Contains(words, StringComparison.Ordinal))
                throw new DiagnosticException("LB0311", $"the template's generation block {i + 1} does not hold the words of assistant turn {i + 1} (… {PyRepr.Repr(words)}), so it is not known which block belongs to which turn. Write one {{% generation %}} block around each assistant turn, or train all of them (loss: assistant, no train: false).", template.Name);
        }

        return [.. marks.Where((_, i) => trained[answers[i]])];
    }

    /// <summary>The end of what a turn says: templates may leave out thoughts before it and blanks around it.</summary>
    private static string LastWords(ChatMessage message)
    {
        const int most = 30;
        string words = PyText.Trim(message.Content ?? "");
        words = PyText.Trim(words[(words.LastIndexOf('\n') + 1)..]);
        return words.Length <= most ? words : words[(words.Length - most + (char.IsLowSurrogate(words[^most]) ? 1 : 0))..];
    }

    private static List<(int Start, int End)> ByPrefixes(ChatTemplate template, ChatRenderRequest request, string whole, IReadOnlyList<ChatMessage> messages, bool[] trained)
    {
        List<(int, int)> ranges = [];
        for (int i = 0; i < messages.Count; i++)
        {
            if (!trained[i])
                continue;
            string before = Prefix(template, request, i, addGenerationPrompt: true, whole);
            int end = End(template, request, whole, messages, i, before.Length);
            if (end < before.Length)
                throw Unstable(template, i, "the rendering of the turn is shorter than its beginning");
            ranges.Add((PyText.Length(whole[..before.Length]), PyText.Length(whole[..end])));
        }

        return ranges;
    }

    /// <summary>Where the turn ends in the whole text: by the rendering that stops behind it, or else by a mark at the end of its words.</summary>
    private static int End(ChatTemplate template, ChatRenderRequest request, string whole, IReadOnlyList<ChatMessage> messages, int turn, int start)
    {
        if (turn == messages.Count - 1)
            return TurnEnd(whole, start, messages[turn].Content);
        try
        {
            string after = Prefix(template, request, turn + 1, addGenerationPrompt: false, whole);
            return after.Length < start ? -1 : TurnEnd(after, start, messages[turn].Content);
        }
        catch (DiagnosticException) when (EndBeforeFinalToken(template, request, whole, messages[turn], turn) is int end && end >= start)
        {
            return end;
        }
        catch (DiagnosticException) when (EndByMark(template, request, whole, turn) is int end && end >= start)
        {
            // Some templates print more before the words of the last turn than of earlier ones (an empty thought, say), but the turn's end is the same.
            return end;
        }
    }

    /// <summary>
    /// Phi's templates print the end-of-sequence token once, behind the whole conversation. Without it the rendering that stops behind the turn must be the
    /// beginning of the whole, and something must stand behind the words that ends the turn; else null.
    /// </summary>
    private static int? EndBeforeFinalToken(ChatTemplate template, ChatRenderRequest request, string whole, ChatMessage message, int turn)
    {
        if (request.Variables["eos_token"] is not JsonValue value || !value.TryGetValue(out string? token) || token.Length == 0 || message.Content is not { } content)
            return null;
        JsonArray first = new([.. request.Messages.Take(turn + 1).Select(m => m?.DeepClone())]);
        string alone = template.Render(request with { Messages = first }).Text;
        if (!alone.EndsWith(token, StringComparison.Ordinal) || !whole.EndsWith(token, StringComparison.Ordinal))
            return null;
        string turns = PyText.Trim(alone[..^token.Length], atStart: false);
        return whole.StartsWith(turns, StringComparison.Ordinal) && !turns.EndsWith(PyText.Trim(content), StringComparison.Ordinal) ? turns.Length : null;
    }

    /// <summary>
    /// A private-use character behind the turn's words shows where they end. The answer holds only if the mark changes nothing else, and what follows the words
    /// when the turn is the last one also follows them in the whole conversation; else null.
    /// </summary>
    private static int? EndByMark(ChatTemplate template, ChatRenderRequest request, string whole, int turn)
    {
        JsonArray first = new([.. request.Messages.Take(turn + 1).Select(m => m?.DeepClone())]);
        string alone = template.Render(request with { Messages = first }).Text;
        if (MarkedAt(template, request, turn, whole) is not int inWhole || MarkedAt(template, request with { Messages = first }, turn, alone) is not int inAlone)
            return null;
        string tail = alone[inAlone..];
        string ending = PyText.Trim(tail, atStart: false);
        return string.CompareOrdinal(whole, inWhole, tail, 0, tail.Length) == 0 ? inWhole + (ending.Length > 0 ? ending : tail).Length : null;
    }

    private static int? MarkedAt(ChatTemplate template, ChatRenderRequest request, int turn, string expected)
    {
        const char mark = '\uF8FE';
        JsonArray messages = (JsonArray)request.Messages.DeepClone();
        if (expected.Contains(mark, StringComparison.Ordinal) || messages[turn]?["content"] is not JsonValue value || !value.TryGetValue(out string? words) || PyText.Trim(words).Length == 0)
            return null;
        messages[turn]!["content"] = words.Insert(PyText.Trim(words, atStart: false).Length, mark.ToString());
        string text = template.Render(request with { Messages = messages }).Text;
        int at = text.IndexOf(mark, StringComparison.Ordinal);
        return at >= 0 && text.Remove(at, 1) == expected ? at : null;
    }

    /// <summary>The rendering of the first messages, which must be the beginning of the whole.</summary>
    private static string Prefix(ChatTemplate template, ChatRenderRequest request, int count, bool addGenerationPrompt, string whole)
    {
        JsonArray messages = new([.. request.Messages.Take(count).Select(m => m?.DeepClone())]);
        string text;
        try
        {
            text = template.Render(request with { Messages = messages, AddGenerationPrompt = addGenerationPrompt }).Text;
        }
        catch (DiagnosticException e)
        {
            throw Unstable(template, count - 1, $"it refuses the first {count} messages alone ({e.Diagnostics[0].Message})");
        }

        if (whole.StartsWith(text, StringComparison.Ordinal))
            return text;
        int common = text.AsSpan().CommonPrefixLength(whole);
        throw Unstable(template, count - 1, $"after {count} of {request.Messages.Count} messages it prints {Excerpt(text, common)} where the whole conversation has {Excerpt(whole, common)}");
    }

    private static string Excerpt(string text, int at) => PyRepr.Repr(text[Math.Max(0, at - 10)..Math.Min(text.Length, at + 30)]);

    /// <summary>Blanks behind the token that ends the turn are the next turn's business.</summary>
    private static int TurnEnd(string text, int start, string? content)
    {
        string turn = text[start..];
        string trimmed = PyText.Trim(turn, atStart: false);
        string words = PyText.Trim(content ?? "");
        int wordsAt = turn.LastIndexOf(words, StringComparison.Ordinal);
        int wordsEnd = wordsAt < 0 ? 0 : wordsAt + words.Length; // the template may print another form of them
        // Only blanks behind the words: they themselves end the turn.
        return trimmed.Length > wordsEnd && trimmed.Length > 0 ? start + trimmed.Length : text.Length;
    }

    private static DiagnosticException Unstable(ChatTemplate template, int message, string why) => new(
        "LB0310",
        $"the template does not mark the assistant's words, and they cannot be found by comparing renderings, because at message {message + 1} {why}. Put {{% generation %}} … {{% endgeneration %}} around what the assistant says (with the token that ends its turn), in a copy that template.chat_template names, or take a built-in template ({string.Join(" | ", BuiltInTemplates.Names)}).",
        template.Name);
}
