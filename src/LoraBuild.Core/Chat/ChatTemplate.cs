// A chat template: Jinja with the variables, errors and continuation rules of transformers' apply_chat_template.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat.Jinja;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Chat;

public sealed class ChatTemplate
{
    // transformers appends this to the last message and cuts the output there.
    private const string ContinueTag = "CONTINUE_FINAL_MESSAGE_TAG ";

    private readonly JinjaTemplate template;

    private ChatTemplate(JinjaTemplate template, string source, string name)
    {
        this.template = template;
        Source = source;
        Name = name;
    }

    public string Source { get; }

    /// <summary>A file's path, or the name of a built-in template: the file of its diagnostics.</summary>
    public string Name { get; }

    /// <summary>Renders conversations that come with tools, where the model has a template of its own for them; else null.</summary>
    public ChatTemplate? ForTools { get; private init; }

    /// <summary>Whether the template marks the assistant's words itself.</summary>
    public bool MarksGeneration => template.MarksGeneration;

    /// <exception cref="DiagnosticException">LB0301: a syntax error, with line and column.</exception>
    public static ChatTemplate Parse(string source, string name, ChatTemplate? forTools = null)
    {
        try
        {
            return new ChatTemplate(JinjaTemplate.Parse(source), source, name) { ForTools = forTools };
        }
        catch (JinjaException e)
        {
            throw new DiagnosticException(ToDiagnostic(e, name));
        }
    }

    /// <summary>A template's error with its place. The message of <c>raise_exception</c> stays word for word.</summary>
    public static Diagnostic ToDiagnostic(JinjaException error, string name)
    {
        (string code, string message) = error.Kind switch
        {
            JinjaErrorKind.TemplateSyntaxError or JinjaErrorKind.TemplateAssertionError or JinjaErrorKind.SyntaxError => ("LB0301", error.Message),
            JinjaErrorKind.TemplateError => ("LB0303", error.Message),
            JinjaErrorKind.LimitError => ("LB0304", error.Message),
            JinjaErrorKind.SecurityError => ("LB0305", error.Message),
            _ => ("LB0302", $"{error.Kind}: {error.Message}"),
        };
        return Diagnostic.Error(code, message, name, error.Line, error.Column);
    }

    /// <exception cref="DiagnosticException">LB0302–LB0306, with the template's place.</exception>
    public ChatRenderResult Render(ChatRenderRequest request)
    {
        if (request.Tools is not null && ForTools is not null)
            return ForTools.Render(request);
        JsonArray messages = request.Messages;
        string? continued = null;
        if (request.ContinueFinalMessage is string field)
        {
            if (request.AddGenerationPrompt)
                throw Continuation("continue_final_message and add_generation_prompt exclude one another: the model either goes on with the last message or begins a new one");
            if (!Source.Contains(field, StringComparison.Ordinal))
                throw Continuation($"the template never uses the field '{field}' that the model is to continue");
            messages = (JsonArray)messages.DeepClone();
            continued = MarkFinalMessage(messages, field);
        }

        JsonObject context = (JsonObject)request.Variables.DeepClone();
        context["messages"] = ReferenceEquals(messages, request.Messages) ? messages.DeepClone() : messages;
        context["tools"] = request.Tools?.DeepClone();
        context["documents"] = request.Documents?.DeepClone();
        context["add_generation_prompt"] = request.AddGenerationPrompt;
        JinjaResult result;
        try
        {
            result = template.Render(context, request.Now);
        }
        catch (JinjaException e)
        {
            throw new DiagnosticException(ToDiagnostic(e, Name));
        }

        string text = continued is null ? result.Text : CutAtTag(result.Text, continued);
        IReadOnlyList<(int Start, int End)>? assistant = null;
        if (MarksGeneration)
        {
            int length = PyText.Length(text);
            assistant = continued is null ? result.Generation : [.. result.Generation.Where(s => s.Start < length).Select(s => (s.Start, Math.Min(s.End, length)))];
        }

        return new ChatRenderResult(text, assistant);
    }

    /// <summary>Appends the tag; gives the text that was there.</summary>
    private string MarkFinalMessage(JsonArray messages, string field)
    {
        JsonNode? content = messages.Count > 0 ? (messages[^1] as JsonObject)?[field] : null;
        if (content is JsonArray parts)
        {
            JsonObject part = parts.OfType<JsonObject>().LastOrDefault(p => p.ContainsKey("text"))
                ?? throw Continuation("the last message has no text part that the model could continue");
            string text = (string?)part["text"] ?? "";
            part["text"] = text + ContinueTag;
            return text;
        }

        if (content is not JsonValue value || !value.TryGetValue(out string? words))
            throw Continuation($"the last message has no text in '{field}' that the model could continue");
        messages[^1]![field] = words + ContinueTag;
        return words;
    }

    private string CutAtTag(string text, string continued)
    {
        string tag = ContinueTag.TrimEnd();
        int at = text.LastIndexOf(tag, StringComparison.Ordinal);
        if (at < 0 || !text.Contains(PyText.Trim(continued), StringComparison.Ordinal))
            throw Continuation("the template does not print the last message as it is, so there is no place where the model could continue it");
        bool keepsBlanks = string.CompareOrdinal(text, at, ContinueTag, 0, ContinueTag.Length) == 0;
        return keepsBlanks ? text[..at] : PyText.Trim(text[..at], atStart: false);
    }

    private DiagnosticException Continuation(string message) => new("LB0306", $"continue_final_message: {message}", Name);
}
