// `template`: dataset/ and the tokenizer → tokens/. With --show it prints examples of what is there.
using System.CommandLine;
using System.Globalization;
using LoraBuild.Core.Recipes;
using LoraBuild.Worker.Inspection;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class TemplateVerb
{
    private static readonly Option<int?> Show = new("--show") { Description = "Print N examples with what is trained told apart: the shortest document, the longest, and others between them by length.", HelpName = "N" };
    private static readonly Option<string> Color = new("--color") { Description = "always | never | auto (a terminal, unless NO_COLOR is set)", HelpName = "WHEN", DefaultValueFactory = _ => "auto" };

    static TemplateVerb() => Color.AcceptOnlyFromAmong("always", "never", "auto");

    public static Command Create(VerbRunner runner)
    {
        Command command = new("template", "Renders dataset/ through the chat template and writes tokens/ with labels, and audit.json.") { Show, Color, SharedOptions.Force };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetValue(Show) is < 1 and int count)
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"--show must be a whole number ≥ 1, got {count}."));
        });
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        StageRunner runner = RecipeArguments.Runner(context);
        runner.Run(Stage.Template, context.Value(SharedOptions.Force), work => TemplateWork.Run(work, context.Value(SharedOptions.Threads)));
        if (context.Value(Show) is not int count)
            return;
        IEnumerable<string> lines = TokenExamples.Lines(RecipeArguments.Recipe(context), RecipeArguments.Layout(context), context.Host.ModelCaches(), count, IsColoured(context));
        if (context.Value(SharedOptions.Events))
        {
            foreach (string line in lines)
                context.Reporter.Message(line);
            return;
        }

        using StreamWriter output = context.Host.OpenOutput();
        foreach (string line in lines)
            output.WriteLine(line);
    }

    /// <summary>no-color.org: NO_COLOR with any text in it switches colour off, but not against the command line.</summary>
    private static bool IsColoured(VerbContext context) => context.Value(Color) switch
    {
        "always" => true,
        "never" => false,
        _ => context.Host.IsTerminal && string.IsNullOrEmpty(context.Host.Environment("NO_COLOR")) && context.Host.Environment("TERM") != "dumb",
    };
}
