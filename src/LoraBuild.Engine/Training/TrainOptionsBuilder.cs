// From a recipe to the trainer's flat options.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Training.Optimizers;
using LoraBuild.Engine.Training.Preference;

namespace LoraBuild.Engine.Training;

public static class TrainOptionsBuilder
{
    private const int GradientHistograms = 50; // as many as TensorBoard draws side by side

    /// <param name="recipe">A recipe without errors.</param>
    /// <param name="externalIdentity">See <see cref="TrainOptions.ExternalIdentity"/>.</param>
    /// <exception cref="DiagnosticException">LB0608: a method that this version does not have.</exception>
    public static TrainOptions From(Recipe recipe, string externalIdentity)
    {
        TrainSection train = recipe.Train;
        return new TrainOptions
        {
            Seed = recipe.Seed,
            NumTrainEpochs = train.NumTrainEpochs,
            MaxSteps = train.MaxSteps,
            BatchSize = train.PerDeviceTrainBatchTokens is null ? train.PerDeviceTrainBatchSize : 1,
            AccumulationSteps = train.GradientAccumulationSteps,
            Packing = recipe.Template.Packing || train.PerDeviceTrainBatchTokens is not null,
            MaxLength = train.PerDeviceTrainBatchTokens ?? recipe.Template.MaxLength, // a batch of so many tokens is one row of that length
            GroupByLength = train.GroupByLength,
            Shuffle = train.Shuffle,
            LearningRate = train.LearningRate,
            Schedule = ScheduleOf(recipe),
            ScheduleArguments = ScheduleArguments.From(train.LrSchedulerKwargs),
            WarmupRatio = train.WarmupRatio,
            WarmupSteps = train.WarmupSteps,
            Optimizer = OptimizerOf(recipe),
            IsStatePaged = train.Optim.StartsWith("paged_", StringComparison.Ordinal),
            ResidentStateBytes = train.OptimStateBudget ?? 0,
            SgdMomentum = train.SgdMomentum,
            LoraPlusRatio = train.LoraplusLrRatio,
            WeightDecay = train.WeightDecay,
            AdamBeta1 = train.AdamBeta1,
            AdamBeta2 = train.AdamBeta2,
            AdamEpsilon = train.AdamEpsilon,
            MaxGradNorm = train.MaxGradNorm,
            Preference = PreferenceOf(train.Preference),
            LabelSmoothing = train.LabelSmoothingFactor,
            NeftuneNoiseAlpha = train.NeftuneNoiseAlpha,
            GradientCheckpointing = train.GradientCheckpointing,
            ActivationOffloading = train.ActivationOffloading,
            AutoFindBatchSize = train.AutoFindBatchSize,
            LoggingSteps = train.LoggingSteps,
            EvalSteps = train.EvalSteps,
            EvalOnStart = train.EvalOnStart,
            GradientHistograms = train.ReportTo == "tensorboard" ? GradientHistograms : 0,
            SaveSteps = train.SaveSteps,
            SaveTotalLimit = train.SaveTotalLimit,
            LoadBestModelAtEnd = train.LoadBestModelAtEnd,
            EarlyStoppingPatience = train.EarlyStoppingPatience,
            EarlyStoppingThreshold = train.EarlyStoppingThreshold,
            KeepEpochCheckpoints = train.KeepEpochCheckpoints,
            MetricForBestModel = MetricOf(train.MetricForBestModel),
            GreaterIsBetter = train.GreaterIsBetter,
            Guard = GuardOf(train),
            EvaluationBatchTokens = recipe.Evaluate.BatchTokens,
            ExternalIdentity = externalIdentity,
        };
    }

    private static LearningRateScheduleKind ScheduleOf(Recipe recipe) => recipe.Train.LrSchedulerType switch
    {
        "linear" => LearningRateScheduleKind.Linear,
        "cosine" => LearningRateScheduleKind.Cosine,
        "cosine_with_restarts" => LearningRateScheduleKind.CosineWithRestarts,
        "polynomial" => LearningRateScheduleKind.Polynomial,
        "inverse_sqrt" => LearningRateScheduleKind.InverseSqrt,
        "cosine_with_min_lr" => LearningRateScheduleKind.CosineWithMinLr,
        "cosine_warmup_with_min_lr" => LearningRateScheduleKind.CosineWarmupWithMinLr,
        "warmup_stable_decay" or "wsd" => LearningRateScheduleKind.WarmupStableDecay,
        "constant" => LearningRateScheduleKind.Constant,
        "constant_with_warmup" => LearningRateScheduleKind.ConstantWithWarmup,
        string other => throw NotSupported(recipe, "train.lr_scheduler_type", other, "what docs/recipe.md lists"),
    };

    private static OptimizerKind OptimizerOf(Recipe recipe) => recipe.Train.Optim switch
    {
        "adamw" or "paged_adamw_32bit" => OptimizerKind.AdamW,
        "adamw_8bit" or "paged_adamw_8bit" => OptimizerKind.AdamW8Bit,
        "sgd" => OptimizerKind.Sgd,
        "adafactor" => OptimizerKind.Adafactor,
        "lion" => OptimizerKind.Lion,
        string other => throw NotSupported(recipe, "train.optim", other, "what docs/recipe.md lists"),
    };

    private static BestMetric MetricOf(string name) => name switch
    {
        "eval_perplexity" => BestMetric.EvalPerplexity,
        "eval_rewards/accuracies" => BestMetric.EvalAccuracies,
        "eval_rewards/margins" => BestMetric.EvalMargins,
        _ => BestMetric.EvalLoss,
    };

    private static GuardOptions GuardOf(TrainSection train) => new()
    {
        OnNan = train.OnNan switch
        {
            "skip" => OnNan.Skip,
            "stop" => OnNan.Stop,
            _ => OnNan.Rollback,
        },
        LossSpike = train.Guard.LossSpike,
        GradNorm = train.Guard.GradNorm,
        MostInterventions = train.Guard.MaxInterventions,
        RateFactor = train.Guard.LrFactor,
    };

    internal static PreferenceOptions PreferenceOf(PreferenceSection section) => new()
    {
        Loss = section.Loss switch
        {
            "dpo" => PreferenceLossKind.Dpo,
            "ipo" => PreferenceLossKind.Ipo,
            "simpo" => PreferenceLossKind.SimPo,
            "orpo" => PreferenceLossKind.Orpo,
            _ => PreferenceLossKind.Kto,
        },
        Beta = section.Beta,
        LabelSmoothing = section.LabelSmoothing,
        IsLengthNormalized = section.LengthNormalized,
        IsReferenceFree = section.ReferenceFree,
        Gamma = section.SimpoGamma,
        DesirableWeight = section.DesirableWeight,
        UndesirableWeight = section.UndesirableWeight,
    };

    private static DiagnosticException NotSupported(Recipe recipe, string key, string value, string allowed) => new(
        "LB0608",
        $"{key}: {value} is not built in this version. Allowed: {allowed}.",
        recipe.FilePath.Length == 0 ? null : recipe.FilePath);
}
