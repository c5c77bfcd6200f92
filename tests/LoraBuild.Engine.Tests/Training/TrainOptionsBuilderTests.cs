// From a recipe to the trainer's options.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Optimizers;
using LoraBuild.Engine.Training.Preference;

namespace LoraBuild.Engine.Tests.Training;

public sealed class TrainOptionsBuilderTests
{
    [Fact]
    public void Every_key_of_the_train_section_arrives()
    {
        Recipe recipe = new()
        {
            Seed = 1,
            Template = new TemplateSection { Packing = false, MaxLength = 2 },
            Evaluate = new EvaluateSection { BatchTokens = 3 },
            Train = new TrainSection
            {
                NumTrainEpochs = 4, MaxSteps = 5, PerDeviceTrainBatchSize = 6, GradientAccumulationSteps = 7, LearningRate = 8, LrSchedulerType = "linear",
                WarmupRatio = 9, WarmupSteps = 10, WeightDecay = 11, AdamBeta1 = 12, AdamBeta2 = 13, AdamEpsilon = 14, MaxGradNorm = 15, Shuffle = false,
                GradientCheckpointing = true, ActivationOffloading = true, AutoFindBatchSize = true, LoggingSteps = 16, EvalSteps = 17, EvalOnStart = true, ReportTo = "tensorboard", SaveSteps = 18, SaveTotalLimit = 19, LoadBestModelAtEnd = false, EarlyStoppingPatience = 20,
                PerDeviceTrainBatchTokens = 40, GroupByLength = true, KeepEpochCheckpoints = true, MetricForBestModel = "eval_rewards/margins", GreaterIsBetter = false,
                EarlyStoppingThreshold = 41, OnNan = "skip", Guard = new GuardSection { LossSpike = 42, GradNorm = 43, MaxInterventions = 44, LrFactor = 45 }, LabelSmoothingFactor = 0.24, Preference = new PreferenceSection { Loss = "kto", Beta = 30, LabelSmoothing = 31, LengthNormalized = true, ReferenceFree = true, SimpoGamma = 32, DesirableWeight = 33, UndesirableWeight = 34 },
                NeftuneNoiseAlpha = 25, Optim = "sgd", OptimStateBudget = 46, SgdMomentum = 21, LoraplusLrRatio = 22, LrSchedulerKwargs = new Dictionary<string, string> { ["num_cycles"] = "23" },
            },
        };
        TrainOptions expected = new()
        {
            Seed = 1, Packing = true, MaxLength = 40, EvaluationBatchTokens = 3, NumTrainEpochs = 4, MaxSteps = 5, BatchSize = 1, AccumulationSteps = 7,
            LearningRate = 8, Schedule = LearningRateScheduleKind.Linear, WarmupRatio = 9, WarmupSteps = 10, WeightDecay = 11, AdamBeta1 = 12, AdamBeta2 = 13,
            AdamEpsilon = 14, MaxGradNorm = 15, Shuffle = false, GradientCheckpointing = true, ActivationOffloading = true, AutoFindBatchSize = true, LoggingSteps = 16, EvalSteps = 17, EvalOnStart = true, GradientHistograms = 50, SaveSteps = 18, SaveTotalLimit = 19,
            LoadBestModelAtEnd = false, EarlyStoppingPatience = 20, GroupByLength = true, KeepEpochCheckpoints = true, MetricForBestModel = BestMetric.EvalMargins, GreaterIsBetter = false,
            EarlyStoppingThreshold = 41, Guard = new GuardOptions { OnNan = OnNan.Skip, LossSpike = 42, GradNorm = 43, MostInterventions = 44, RateFactor = 45 }, LabelSmoothing = 0.24, Preference = new PreferenceOptions { Loss = PreferenceLossKind.Kto, Beta = 30, LabelSmoothing = 31, IsLengthNormalized = true, IsReferenceFree = true, Gamma = 32, DesirableWeight = 33, UndesirableWeight = 34 },
            NeftuneNoiseAlpha = 25, Optimizer = OptimizerKind.Sgd, ResidentStateBytes = 46, SgdMomentum = 21, LoraPlusRatio = 22,
            ScheduleArguments = new ScheduleArguments { NumCycles = 23 }, ExternalIdentity = "x",
        };
        Assert.Equal(expected, TrainOptionsBuilder.From(recipe, "x"));
        Assert.Equal(0, TrainOptionsBuilder.From(recipe with { Train = recipe.Train with { ReportTo = "none" } }, "x").GradientHistograms);
    }

    [Fact]
    public void What_is_not_built_is_refused_with_what_is()
    {
        Refuses(new TrainSection { LrSchedulerType = "greedy" }, "docs/recipe.md");
        Refuses(new TrainSection { Optim = "adamw_4bit" }, "docs/recipe.md");
    }

    [Theory]
    [InlineData("adamw", OptimizerKind.AdamW, false)]
    [InlineData("adamw_8bit", OptimizerKind.AdamW8Bit, false)]
    [InlineData("paged_adamw_32bit", OptimizerKind.AdamW, true)]
    [InlineData("paged_adamw_8bit", OptimizerKind.AdamW8Bit, true)]
    public void Names_of_AdamW_say_how_its_state_is_held(string name, OptimizerKind kind, bool isPaged)
    {
        TrainOptions options = TrainOptionsBuilder.From(new Recipe { Train = new TrainSection { Optim = name, OptimStateBudget = 5 } }, "");
        Assert.Equal((kind, isPaged, 5), (options.Optimizer, options.IsStatePaged, options.ResidentStateBytes));
    }

    private static void Refuses(TrainSection train, string allowed)
    {
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => TrainOptionsBuilder.From(new Recipe { Train = train }, ""));
        Assert.Equal("LB0608", error.Diagnostics[0].Code);
        Assert.Contains(allowed, error.Message, StringComparison.Ordinal);
    }
}
