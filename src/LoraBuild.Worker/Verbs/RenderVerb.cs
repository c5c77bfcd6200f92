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
        (ChatTemplate template, JsonObject variables) = Template(context);
        LineVerb.Run(context, question =>
        {
            JsonObject own = (JsonObject)variables.DeepClone();
            foreach ((string name, JsonNode? value) in JsonLines.OptionalObject(question, "variables") ?? [])
                own[name] = value?.DeepClone();
            ChatRenderResult result = template.Render(new ChatRenderRequest
            {
                Messages = JsonLines.OptionalArray(question, "messages") ?? throw JsonLines.Wrong("\"messages\" is missing; expected {\"messages\": [{\"role\": \"user\", \"content\": \"…\"}]}"),
                Tools = JsonLines.OptionalArray(question, "tools"),
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

    /// <summary>A file's template, with the special tokens of the tokenizer when one is named too; else the tokenizer's own.</summary>
    private static (ChatTemplate Template, JsonObject Variables) Template(VerbContext context)
    {
        string? file = context.Value(TemplateFile) is null ? null : context.RequiredFile(TemplateFile);
        if (context.Value(SharedOptions.Tokenizer) is null)
            return file is null ? throw VerbContext.Missing("--template FILE or --tokenizer DIR") : (ChatTemplate.Parse(File.ReadAllText(file), file), []);
        string directory = context.RequiredDirectory(SharedOptions.Tokenizer);
        Tokenizer tokenizer = Tokenizer.Load(directory, context.Reporter);
        ChatTemplate template = (file is null ? TemplateChoice.OfModel(tokenizer.ChatTemplates, directory) : ChatTemplate.Parse(File.ReadAllText(file), file))
            ?? throw new DiagnosticException("LB0825", "the tokenizer has no chat template; name one with --template FILE.", directory);
        return (template, new(tokenizer.ConfigVariables.Select(v => KeyValuePair.Create<string, JsonNode?>(v.Key, v.Value))));
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
