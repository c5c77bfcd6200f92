// From a recipe to the trainer's flat options.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Engine.Training;

public static class TrainOptionsBuilder
{
    /// <param name="recipe">A recipe without errors.</param>
    /// <param name="externalIdentity">See <see cref="TrainOptions.ExternalIdentity"/>.</param>
    /// <exception cref="DiagnosticException">LB0608: a method that this version does not have.</exception>
    public static TrainOptions From(Recipe recipe, string externalIdentity)
    {
        TrainSection train = recipe.Train;
        Require(recipe, train.Optim == "adamw", "train.optim", train.Optim, "adamw");
        Require(recipe, !train.GradientCheckpointing, "train.gradient_checkpointing", "true", "false");
        return new TrainOptions
        {
            Seed = recipe.Seed,
            NumTrainEpochs = train.NumTrainEpochs,
            MaxSteps = train.MaxSteps,
            BatchSize = train.PerDeviceTrainBatchSize,
            AccumulationSteps = train.GradientAccumulationSteps,
            Packing = recipe.Template.Packing,
            MaxLength = recipe.Template.MaxLength,
            Shuffle = train.Shuffle,
            LearningRate = train.LearningRate,
            Schedule = ScheduleOf(recipe),
            WarmupRatio = train.WarmupRatio,
            WarmupSteps = train.WarmupSteps,
            WeightDecay = train.WeightDecay,
            AdamBeta1 = train.AdamBeta1,
            AdamBeta2 = train.AdamBeta2,
            AdamEpsilon = train.AdamEpsilon,
            MaxGradNorm = train.MaxGradNorm,
            LoggingSteps = train.LoggingSteps,
            EvalSteps = train.EvalSteps,
            SaveSteps = train.SaveSteps,
            SaveTotalLimit = train.SaveTotalLimit,
            LoadBestModelAtEnd = train.LoadBestModelAtEnd,
            EarlyStoppingPatience = train.EarlyStoppingPatience,
            EvaluationBatchTokens = recipe.Evaluate.BatchTokens,
            ExternalIdentity = externalIdentity,
        };
    }

    private static LearningRateScheduleKind ScheduleOf(Recipe recipe) => recipe.Train.LrSchedulerType switch
    {
        "linear" => LearningRateScheduleKind.Linear,
        "cosine" => LearningRateScheduleKind.Cosine,
        "constant" => LearningRateScheduleKind.Constant,
        "constant_with_warmup" => LearningRateScheduleKind.ConstantWithWarmup,
        string other => throw NotSupported(recipe, "train.lr_scheduler_type", other, "linear, cosine, constant, constant_with_warmup"),
    };

    private static void Require(Recipe recipe, bool holds, string key, string value, string allowed)
    {
        if (!holds)
            throw NotSupported(recipe, key, value, allowed);
    }

    private static DiagnosticException NotSupported(Recipe recipe, string key, string value, string allowed) => new(
        "LB0608",
        $"{key}: {value} is not built in this version. Allowed: {allowed}.",
        recipe.FilePath.Length == 0 ? null : recipe.FilePath);
}
