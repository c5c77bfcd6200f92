// Each lint fires on the setting that it is about, and not on usual ones.
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class TrainingLintsTests
{
    private static readonly Recipe Usual = new() { FilePath = "r.yaml" };
    private static readonly TokenDocuments Train = Documents.Random(40, 3, 9, 100, seed: 1);
    private static readonly LintFacts Facts = new(1_000_000_000, 40, Train, Documents.Random(4, 3, 9, 100, seed: 2));

    [Fact]
    public void Usual_settings_are_not_warned_about() => Assert.Empty(TrainingLints.Check(Usual, Facts));

    [Fact]
    public void Each_setting_that_mostly_goes_wrong_has_its_warning()
    {
        Recipe WithTrain(Func<TrainSection, TrainSection> change) => Usual with { Train = change(Usual.Train) };
        Recipe WithAdapter(Func<AdapterSection, AdapterSection> change) => Usual with { Adapter = change(Usual.Adapter) };

        Warns("LB0620", WithTrain(t => t with { LearningRate = 5e-4 }));
        Warns("LB0621", WithTrain(t => t with { LearningRate = 4e-5 }));
        Warns("LB0622", WithTrain(t => t with { WarmupRatio = 0 }));
        Warns("LB0622", WithTrain(t => t with { WarmupSteps = 0 }));
        Warns("LB0623", WithAdapter(a => a with { R = 128, LoraAlpha = 128 }));
        Warns("LB0624", WithAdapter(a => a with { TargetModules = ["q_proj"] }));
        Warns("LB0625", WithTrain(t => t with { NumTrainEpochs = 5 }));
        Warns("LB0626", WithAdapter(a => a with { LoraAlpha = 1 }));
        Warns("LB0626", WithAdapter(a => a with { LoraAlpha = 100 }));
        Warns("LB0627", Usual, Facts with { Evaluation = null });
        Warns("LB0627", Usual, Facts with { Evaluation = Train });
        Warns("LB0628", WithTrain(t => t with { WeightDecay = 0 }));
        Warns("LB0629", WithTrain(t => t with { GradientAccumulationSteps = 21 }));
    }

    [Fact]
    public void What_is_right_elsewhere_is_not_warned_about()
    {
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { LearningRate = 4e-3, NumTrainEpochs = 7 } }, Facts with { Parameters = 10_000_000 }));
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { LearningRate = 5e-6 } }, Facts with { Train = Train with { IsPairs = true } }));
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { LearningRate = 2e-5 }, Adapter = new() { Type = "none", R = 300 } }, Facts));
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { LrSchedulerType = "constant", WarmupRatio = 0 } }, Facts));
        Assert.Empty(TrainingLints.Check(Usual with { Adapter = new() { R = 64, UseRslora = true, LoraAlpha = 32 } }, Facts));
    }

    private static void Warns(string code, Recipe recipe, LintFacts? facts = null) => Assert.Equal([code], TrainingLints.Check(recipe, facts ?? Facts).Select(d => d.Code));
}
