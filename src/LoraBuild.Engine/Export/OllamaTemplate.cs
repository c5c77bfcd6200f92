// Ollama's Go template from a model's Jinja one: what stands before and after each role's words is found by rendering, and the outcome is checked against further renderings.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Engine.Export;

/// <summary>Text around the words of each role. Ollama knows nothing of Jinja: without a TEMPLATE it compares the model's with a list of known ones, and a model that matches none gets bare prompts.</summary>
/// <param name="Start">Before everything where there is no system prompt.</param>
/// <param name="IsSystemInUser">The system prompt stands inside the first user's turn.</param>
/// <param name="End">After the last user's turn: where the answer begins.</param>
internal sealed record OllamaTemplate(string Start, (string Before, string After) System, bool IsSystemInUser, (string Before, string After) User, (string Before, string After) Assistant, string End)
{
    /// <summary>The system prompt stands inside the last user's turn instead of the first one's (Mistral since v3).</summary>
    public bool IsSystemInLast { get; init; }

    /// <summary>Templates that print the date fall back to this one where there is no clock, as in Ollama.</summary>
    private static readonly DateTime FixedDate = new(2024, 7, 26, 0, 0, 0, DateTimeKind.Unspecified);

    // Words that no template's own text contains.
    private const string A = "@@alpha@@", B = "@@beta@@", C = "@@gamma@@", S = "@@sigma@@";

    /// <summary>Null: the template treats turns differently by place or content, which these few pieces cannot say.</summary>
    /// <param name="bos">The token that the GGUF file tells Ollama to put before everything; it is not repeated in the template.</param>
    public static OllamaTemplate? Derive(string jinja, JsonObject variables, string? bos)
    {
        try
        {
            ChatTemplate template = ChatTemplate.Parse(jinja, "chat_template");
            string Render(bool asksForAnswer, params (string Role, string Content)[] turns)
            {
                JsonArray messages = new([.. turns.Select(t => (JsonNode)new JsonObject { ["role"] = t.Role, ["content"] = t.Content })]);
                string text = template.Render(new ChatRenderRequest { Messages = messages, AddGenerationPrompt = asksForAnswer, Variables = variables, Now = FixedDate }).Text;
                return bos is { Length: > 0 } && text.StartsWith(bos, StringComparison.Ordinal) ? text[bos.Length..] : text;
            }

            return Derive(Render);
        }
        catch (DiagnosticException)
        {
            return null; // it refuses these conversations, or needs what Ollama does not give
        }
    }

    private delegate string Renderer(bool asksForAnswer, params (string Role, string Content)[] turns);

    private static OllamaTemplate? Derive(Renderer render)
    {
        string one = render(true, ("user", A)), oneWithoutAnswer = render(false, ("user", A));
        string three = render(true, ("user", A), ("assistant", B), ("user", C));
        if (Around(one, A) is not [string head, string tail] || Around(three, A, B, C) is not [string headOfThree, string afterUser, string afterAssistant, string tailOfThree] || head != headOfThree || tail != tailOfThree)
            return null;
        string end = one.StartsWith(oneWithoutAnswer, StringComparison.Ordinal) ? one[oneWithoutAnswer.Length..] : tail[CommonStart(tail, afterUser)..];
        string userAfter = tail[..^end.Length];
        if (!afterUser.StartsWith(userAfter, StringComparison.Ordinal))
            return null;
        string userBefore = BeforeUser(head, afterAssistant, render);
        OllamaTemplate found = new(head[..^userBefore.Length], ("", "\n\n"), IsSystemInUser: true, (userBefore, userAfter), (afterUser[userAfter.Length..], afterAssistant[..^userBefore.Length]), end);
        found = WithSystem(found, render);
        if (found.IsSystemInUser && !found.IsRight(render))
            found = found with { IsSystemInLast = true };
        return found.IsRight(render) && !found.GoText().Contains("\"\"\"", StringComparison.Ordinal) ? found : null;
    }

    /// <summary>What ends the start and every gap after an answer, less what belongs to the answer's own end.</summary>
    private static string BeforeUser(string head, string afterAssistant, Renderer render)
    {
        if (Around(render(false, ("user", A), ("assistant", B)), A, B) is [_, _, string afterLast] && afterAssistant.StartsWith(afterLast, StringComparison.Ordinal) && head.EndsWith(afterAssistant[afterLast.Length..], StringComparison.Ordinal))
            return afterAssistant[afterLast.Length..];
        return head[^CommonEnd(head, afterAssistant)..];
    }

    private static OllamaTemplate WithSystem(OllamaTemplate found, Renderer render)
    {
        try
        {
            if (Around(render(true, ("system", S), ("user", A)), S, A) is not [string before, string between, _])
                return found; // it drops system prompts
            if (between.EndsWith(found.User.Before, StringComparison.Ordinal) && found.User.Before.Length > 0)
                return found with { System = (before, between[..^found.User.Before.Length]), IsSystemInUser = false };
            return before.EndsWith(found.User.Before, StringComparison.Ordinal) ? found with { System = ("", between) } : found;
        }
        catch (DiagnosticException)
        {
            return found; // it knows no system role: the prompt goes into the first user's turn, as is usual for such models
        }
    }

    private bool IsRight(Renderer render)
    {
        (string Role, string Content)[] turns = [("user", "How are you?"), ("assistant", "Fine."), ("user", "And now?"), ("assistant", "The same."), ("user", "Thanks")];
        if (render(true, turns) != Text(null, turns) || render(true, turns[..1]) != Text(null, turns[..1]))
            return false;
        string withSystem;
        try
        {
            withSystem = render(true, [("system", "Be kind."), .. turns]);
        }
        catch (DiagnosticException)
        {
            return true;
        }

        return !withSystem.Contains("Be kind.", StringComparison.Ordinal) || withSystem == Text("Be kind.", turns);
    }

    /// <summary>What Ollama makes of a conversation with this template.</summary>
    internal string Text(string? system, IReadOnlyList<(string Role, string Content)> turns)
    {
        string text = system is null || IsSystemInUser ? Start : "";
        if (system is not null && !IsSystemInUser)
            text += System.Before + system + System.After;
        for (int i = 0; i < turns.Count; i++)
        {
            (string before, string after) = turns[i].Role == "user" ? User : Assistant;
            bool isPlace = IsSystemInLast ? i == turns.Count - 1 : i == 0;
            string inside = isPlace && system is not null && IsSystemInUser ? System.Before + system + System.After : "";
            text += before + inside + turns[i].Content + after;
        }

        return text + End;
    }

    /// <summary>For <c>TEMPLATE</c>; .Messages holds the system prompt too, as its first message.</summary>
    public string GoText()
    {
        string start = Start.Length == 0 ? "" : IsSystemInUser ? Start : "{{ if not .System }}" + Start + "{{ end }}";
        string system = IsSystemInUser ? "" : "{{ if eq .Role \"system\" }}" + System.Before + "{{ .Content }}" + System.After + "{{ end }}";
        string inUser = IsSystemInUser ? (IsSystemInLast ? "{{ if and $.System (eq (len (slice $.Messages $i)) 1) }}" : "{{ if and $.System (le $i 1) }}") + System.Before + "{{ $.System }}" + System.After + "{{ end }}" : "";
        return start + "{{ range $i, $_ := .Messages }}" + system
            + "{{ if eq .Role \"user\" }}" + User.Before + inUser + "{{ .Content }}" + User.After + "{{ end }}"
            + "{{ if eq .Role \"assistant\" }}" + Assistant.Before + "{{ .Content }}" + Assistant.After + "{{ end }}"
            + "{{ end }}" + End;
    }

    /// <summary>The pieces between words that stand in a text once each and in this order; null: they do not.</summary>
    private static string[]? Around(string text, params string[] words)
    {
        List<string> pieces = [];
        int at = 0;
        foreach (string word in words)
        {
            int found = text.IndexOf(word, at, StringComparison.Ordinal);
            if (found < 0 || text.IndexOf(word, found + 1, StringComparison.Ordinal) >= 0)
                return null;
            pieces.Add(text[at..found]);
            at = found + word.Length;
        }

        return [.. pieces, text[at..]];
    }

    private static int CommonStart(string a, string b) => a.Zip(b).TakeWhile(p => p.First == p.Second).Count();

    private static int CommonEnd(string a, string b) => a.Reverse().Zip(b.Reverse()).TakeWhile(p => p.First == p.Second).Count();
}
