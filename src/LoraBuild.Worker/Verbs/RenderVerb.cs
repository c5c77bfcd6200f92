// `render`: conversations → text through a chat template, one JSON line each.
using System.CommandLine;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Verbs;

internal static class RenderVerb
{
    private const string ToolTemplate = "tool_use";
    private const string ContinuedField = "content";

    private static readonly Option<string> TemplateFile = new("--template") { Description = "A Jinja file.", HelpName = "FILE" };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("render", """{"messages": […], "tools": […]?, "add_generation_prompt": bool?, …} → {"text": "…", "assistant": [[start, end], …]?}""")
        {
            TemplateFile, SharedOptions.Tokenizer, SharedOptions.Input, ClockOption.Now,
        };
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        DateTime now = ClockOption.Read(context);
        (ChatTemplate plain, ChatTemplate? withTools, JsonObject variables) = Templates(context);
        LineVerb.Run(context, question =>
        {
            JsonObject own = (JsonObject)variables.DeepClone();
            foreach ((string name, JsonNode? value) in JsonLines.OptionalObject(question, "variables") ?? [])
                own[name] = value?.DeepClone();
            JsonArray? tools = JsonLines.OptionalArray(question, "tools");
            ChatTemplate template = tools is { Count: > 0 } && withTools is not null ? withTools : plain;
            ChatRenderResult result = template.Render(new ChatRenderRequest
            {
                Messages = JsonLines.OptionalArray(question, "messages") ?? throw JsonLines.Wrong("\"messages\" is missing; expected {\"messages\": [{\"role\": \"user\", \"content\": \"…\"}]}"),
                Tools = tools,
                Documents = JsonLines.OptionalArray(question, "documents"),
                AddGenerationPrompt = JsonLines.OptionalBool(question, "add_generation_prompt") ?? false,
                ContinueFinalMessage = Continued(question["continue_final_message"]),
                Variables = own,
                Now = now,
            });
            JsonObject answer = new() { ["text"] = result.Text };
            if (result.Assistant is not null)
                answer["assistant"] = new JsonArray([.. result.Assistant.Select(a => (JsonNode)new JsonArray(a.Start, a.End))]);
            return answer;
        });
    }

    private static (ChatTemplate Plain, ChatTemplate? WithTools, JsonObject Variables) Templates(VerbContext context)
    {
        if (context.Value(TemplateFile) is not null)
        {
            string file = context.RequiredFile(TemplateFile);
            return (ChatTemplate.Parse(File.ReadAllText(file), file), null, []);
        }

        if (context.Value(SharedOptions.Tokenizer) is null)
            throw VerbContext.Missing("--template FILE or --tokenizer DIR");
        string directory = context.RequiredDirectory(SharedOptions.Tokenizer);
        Tokenizer tokenizer = Tokenizer.Load(directory, context.Reporter);
        string source = tokenizer.ChatTemplateSource
            ?? throw new DiagnosticException("LB0825", "the tokenizer has no chat template; name one with --template FILE.", directory);
        JsonObject variables = new(tokenizer.ConfigVariables.Select(v => KeyValuePair.Create<string, JsonNode?>(v.Key, v.Value)));
        ChatTemplate? withTools = tokenizer.ChatTemplates.TryGetValue(ToolTemplate, out string? text) ? ChatTemplate.Parse(text, $"{directory}#{ToolTemplate}") : null;
        return (ChatTemplate.Parse(source, directory), withTools, variables);
    }

    /// <summary>true means the words of the message; a name means that field.</summary>
    private static string? Continued(JsonNode? node) => node switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out bool flag) => flag ? ContinuedField : null,
        JsonValue value when value.TryGetValue(out string? field) => field,
        _ => throw JsonLines.Wrong("\"continue_final_message\" must be true, false or the name of a field"),
    };
}
