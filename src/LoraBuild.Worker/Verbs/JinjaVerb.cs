// `jinja`: a template and its context → text, one JSON line each.
using System.CommandLine;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Chat.Jinja;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Verbs;

internal static class JinjaVerb
{
    public static Command Create(VerbRunner runner)
    {
        Command command = new("jinja", """{"template": "…", "context": {…}, "trim_blocks": bool?, "lstrip_blocks": bool?} → {"text": "…"}""") { SharedOptions.Input, ClockOption.Now };
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        DateTime? now = ClockOption.Read(context);
        LineVerb.Run(context, question => Answer(question, now));
    }

    private static JsonObject Answer(JsonObject question, DateTime? now)
    {
        JinjaOptions defaults = new();
        JinjaOptions options = defaults with
        {
            TrimBlocks = JsonLines.OptionalBool(question, "trim_blocks") ?? defaults.TrimBlocks,
            LstripBlocks = JsonLines.OptionalBool(question, "lstrip_blocks") ?? defaults.LstripBlocks,
            Now = now,
        };
        try
        {
            JinjaTemplate template = JinjaTemplate.Parse(JsonLines.RequiredString(question, "template"), options);
            return new JsonObject { ["text"] = template.Render(JsonLines.OptionalObject(question, "context") ?? []).Text };
        }
        catch (JinjaException e)
        {
            throw new DiagnosticException(ChatTemplate.ToDiagnostic(e, "template"));
        }
    }
}
