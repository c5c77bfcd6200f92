// `train`: tokens/ and the base model → adapter/. Alone it first makes what it reads.
using System.CommandLine;
using LoraBuild.Core.Recipes;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class TrainVerb
{
    private static readonly Option<bool> NoResume = new("--no-resume") { Description = "Start over where an interrupted run left checkpoints." };
    private static readonly Option<bool> Resume = new("--resume") { Description = "Go on from the newest checkpoint of the same run; the default." };
    private static readonly Option<bool> Profile = new("--profile") { Description = "Say at the end where the time of the steps went, and write profile.json." };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("train", "Trains what the recipe says and writes adapter/ (model/ with adapter.type: none), checkpoints/ and metrics.jsonl.")
        {
            Resume, NoResume, Profile, SharedOptions.Force,
        };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetValue(Resume) && result.GetValue(NoResume))
                result.AddError("--resume and --no-resume exclude one another.");
        });
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        StageRunner runner = RecipeArguments.Runner(context);
        bool isFresh = context.Value(NoResume);
        StageLayout layout = RecipeArguments.Layout(context);
        bool hasGivenTokens = File.Exists(Path.Combine(layout.Tokens, "train.safetensors")) && !File.Exists(layout.Fingerprint(Stage.Template));
        if (!hasGivenTokens)
        {
            runner.RunIfNeeded(Stage.Prepare, PrepareWork.Run);
            runner.RunIfNeeded(Stage.Template, work => TemplateWork.Run(work, context.Value(SharedOptions.Threads)));
        }

        bool isProfiling = context.Value(Profile);
        TrainingProfile? profile = isProfiling ? TrainingProfile.Start(layout) : null;
        _ = runner.Run(
            Stage.Train,
            context.Value(SharedOptions.Force) || isFresh,
            work => TrainWork.Run(work, Compute.Prepare(context, work.Recipe.Base.Dtype), isResuming: !isFresh));
        profile?.Finish(context);
    }
}
