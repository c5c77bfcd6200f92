// --recipe, --output and --set as a recipe and a place.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class RecipeArguments
{
    /// <exception cref="DiagnosticException">The recipe has errors; all of them.</exception>
    public static Recipe Recipe(VerbContext context)
    {
        DiagnosticBag bag = new(context.Reporter);
        Recipe? recipe = RecipeReader.Read(
            context.RequiredPath(SharedOptions.Recipe),
            context.Value(SharedOptions.Set) ?? [],
            bag,
            overrideBasePath: context.Host.CurrentDirectory);
        bag.ThrowIfErrors();
        return recipe!;
    }

    public static StageLayout Layout(VerbContext context) => new(Path.TrimEndingDirectorySeparator(context.RequiredPath(SharedOptions.Output)));

    public static StageRunner Runner(VerbContext context)
    {
        StageLayout layout = Layout(context);
        return new StageRunner(Recipe(context), layout, context.Host.ModelCaches(), context.Reporter, context.Cancellation);
    }
}
