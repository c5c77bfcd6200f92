// `evaluate`: held-out tokens, base and adapter → evaluation.json and samples.md.
using System.CommandLine;
using LoraBuild.Core.Recipes;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class EvaluateVerb
{
    public static Command Create(VerbRunner runner)
    {
        Command command = new("evaluate", "Measures loss and perplexity on held-out tokens before and after training, and lets both models answer.") { SharedOptions.Force };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, context => RecipeArguments.Runner(context).Run(
            Stage.Evaluate,
            context.Value(SharedOptions.Force),
            work => EvaluateWork.Run(work, Compute.Prepare(context, work.Recipe.Base.Dtype)))));
        return command;
    }
}
