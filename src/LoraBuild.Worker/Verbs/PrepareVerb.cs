// `prepare`: the recipe's sources → dataset/.
using System.CommandLine;
using LoraBuild.Core.Recipes;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class PrepareVerb
{
    public static Command Create(VerbRunner runner)
    {
        Command command = new("prepare", "Reads the recipe's sources and writes dataset/: one canonical form, split, without repetitions.") { SharedOptions.Force };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, context => RecipeArguments.Runner(context).Run(Stage.Prepare, context.Value(SharedOptions.Force), PrepareWork.Run)));
        return command;
    }
}
