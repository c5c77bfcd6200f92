// `fingerprint`: brings the fingerprint files of a pipeline up to date; what a build does before its first stage.
using System.CommandLine;
using LoraBuild.Core.Recipes;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class FingerprintVerb
{
    private static readonly Option<string> StageName = new("--stage") { Description = "One stage, by its verb. Default: all whose predecessors are up to date.", HelpName = "VERB" };
    private static readonly Option<string> FileName = new("--file") { Description = "Where the fingerprint goes; with --stage. Default: in the pipeline's directory.", HelpName = "FILE" };

    static FingerprintVerb() => StageName.AcceptOnlyFromAmong([.. StageLayout.Order.Select(StageLayout.VerbOf)]);

    public static Command Create(VerbRunner runner)
    {
        Command command = new("fingerprint", "Writes what a stage depends on as a hash, only when it differs from what stands there.") { StageName, FileName };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        PipelineState pipeline = new(RecipeArguments.Recipe(context), RecipeArguments.Layout(context), context.Host.ModelCaches());
        if (context.Value(StageName) is not { } name)
        {
            pipeline.WriteFingerprints();
            return;
        }

        Stage stage = StageLayout.Order.First(s => StageLayout.VerbOf(s) == name);
        pipeline.Of(stage).WriteFingerprint(pipeline.Layout, context.OptionalPath(FileName));
        pipeline.SaveHashes();
    }
}
