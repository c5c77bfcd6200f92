// `template`: dataset/ and the tokenizer → tokens/.
using System.CommandLine;
using LoraBuild.Core.Recipes;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class TemplateVerb
{
    public static Command Create(VerbRunner runner)
    {
        Command command = new("template", "Renders dataset/ through the chat template and writes tokens/ with labels, and audit.json.") { SharedOptions.Force };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, context => RecipeArguments.Runner(context).Run(Stage.Template, context.Value(SharedOptions.Force), TemplateWork.Run)));
        return command;
    }
}
