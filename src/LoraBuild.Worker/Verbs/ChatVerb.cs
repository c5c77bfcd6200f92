// `chat`: a conversation, one line of standard input a turn, through the model's chat template.
using System.CommandLine;
using System.Text;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Worker.Generation;

namespace LoraBuild.Worker.Verbs;

internal static class ChatVerb
{
    private static readonly Option<string> System = new("--system") { Description = "The system prompt.", HelpName = "TEXT" };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("chat", "Answers lines of standard input and keeps the conversation.") { System, ClockOption.Now };
        foreach (Option option in ModelArguments.OfGeneration)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context) => ModelArguments.WithTextModel(context, model =>
    {
        ChatTemplate template = ChatTemplate.Parse(
            model.Tokenizer.ChatTemplateSource ?? throw new DiagnosticException("LB0825", "the tokenizer has no chat template; use generate, or put a chat_template.jinja beside tokenizer.json.", model.Model.ModelDirectory),
            model.Model.ModelDirectory);
        ChatSession session = new(model, template, ModelArguments.Generation(context)) { Now = ClockOption.Read(context) };
        if (context.Value(System) is { } system)
            session.AddSystem(system);
        using StreamReader input = new(context.Host.Input, Encoding.UTF8, false, 1 << 12, leaveOpen: true);
        using StreamWriter output = context.Host.OpenOutput();
        while (true)
        {
            if (context.Host.IsTerminal)
            {
                output.Write("> ");
                output.Flush();
            }

            if (input.ReadLine() is not { } line)
                return;
            if (line.Length == 0)
                continue;
            session.Ask(line, Show, context.Cancellation);
            output.WriteLine();
            output.Flush();
        }

        void Show(string piece)
        {
            output.Write(piece);
            output.Flush();
        }
    });
}
