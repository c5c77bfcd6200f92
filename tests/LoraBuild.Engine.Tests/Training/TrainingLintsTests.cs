// Each lint fires on the setting that it is about, and not on usual ones.
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class TrainingLintsTests
{
    private static readonly Recipe Usual = new() { FilePath = "r.yaml" };
    private static readonly TokenDocuments Train = Documents.Random(40, 3, 9, 100, seed: 1);
    private static readonly LintFacts Facts = new(1_000_000_000, 40, 60, Train, Documents.Random(4, 3, 9, 100, seed: 2));

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
        Warns("LB0631", WithTrain(t => t with { WarmupSteps = 60 }));
        Warns("LB0631", WithTrain(t => t with { WarmupRatio = 1 }));
        Warns("LB0631", Usual, Facts with { Steps = 1 }); // ⌈0.05 · 1⌉: its only step would have the rate 0
    }

    [Fact]
    public void What_is_right_elsewhere_is_not_warned_about()
    {
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { LearningRate = 4e-3, NumTrainEpochs = 7 } }, Facts with { Parameters = 10_000_000 }));
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { LearningRate = 5e-6 } }, Facts with { Train = Train with { IsPairs = true } }));
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { LearningRate = 2e-5 }, Adapter = new() { Type = "none", R = 300 } }, Facts));
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { LrSchedulerType = "constant", WarmupRatio = 0 } }, Facts));
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { LrSchedulerType = "constant", WarmupSteps = 100 } }, Facts));
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { WarmupSteps = 59 } }, Facts));
        Assert.Empty(TrainingLints.Check(Usual with { Adapter = new() { R = 64, UseRslora = true, LoraAlpha = 32 } }, Facts));
    }

    [Fact]
    public void A_setting_that_changes_nothing_is_told()
    {
        Recipe WithTrain(Func<TrainSection, TrainSection> change) => Usual with { Train = change(Usual.Train) };
        Recipe WithPreference(Func<PreferenceSection, PreferenceSection> change) => WithTrain(t => t with { Preference = change(t.Preference) });
        LintFacts pairs = Facts with { Train = Train with { IsPairs = true } };

        Idle("train.sgd_momentum", WithTrain(t => t with { SgdMomentum = 0.9 }), Facts);
        Idle("train.optim_state_budget", WithTrain(t => t with { OptimStateBudget = 1000 }), Facts);
        Idle("train.group_by_length", WithTrain(t => t with { GroupByLength = true, Shuffle = false }), Facts);
        Idle("train.early_stopping_threshold", WithTrain(t => t with { EarlyStoppingThreshold = 0.1 }), Facts);
        Idle("train.loraplus_lr_ratio", WithTrain(t => t with { LoraplusLrRatio = 16 }) with { Adapter = new() { Type = "none" } }, Facts);
        Idle("train.preference", WithPreference(p => p with { Beta = 0.2 }), Facts);
        Idle("train.label_smoothing_factor", WithTrain(t => t with { LabelSmoothingFactor = 0.1 }), pairs);
        Idle("train.preference.label_smoothing", WithPreference(p => p with { Loss = "kto", LabelSmoothing = 0.1 }), pairs);
        Idle("train.preference.length_normalized", WithPreference(p => p with { Loss = "ipo", LengthNormalized = true }), pairs);
        Idle("train.preference.reference_free", WithPreference(p => p with { Loss = "orpo", ReferenceFree = true }), pairs);
        Idle("train.preference.simpo_gamma", WithPreference(p => p with { SimpoGamma = 1 }), pairs);
        Idle("train.preference.desirable_weight", WithPreference(p => p with { DesirableWeight = 2 }), pairs);
        Idle("train.preference.undesirable_weight", WithPreference(p => p with { UndesirableWeight = 2 }), pairs);
        LintFacts adapted = Facts with { AdaptedModules = ["model.layers.0.self_attn.q_proj"] };
        Idle("adapter.rank_pattern", Usual with { Adapter = new() { RankPattern = new Dictionary<string, int> { ["q_proj"] = 4, ["k_proj"] = 2 } } }, adapted);
        Idle("adapter.alpha_pattern", Usual with { Adapter = new() { AlphaPattern = new Dictionary<string, double> { ["o_proj"] = 4 } } }, adapted);
        RecipePlace place = new("r.yaml", 7, 3);
        Recipe WithBase(BaseSection section, string key) => Usual with { Base = section, Places = new Dictionary<string, RecipePlace> { [key] = place } };
        Idle("base.compute_dtype", WithBase(new() { ComputeDtype = "bfloat16" }, "base.compute_dtype"), Facts);
        Idle("base.double_quant", WithBase(new(), "base.double_quant"), Facts);
        Idle("base.double_quant", WithBase(new() { Quantization = "int8" }, "base.double_quant"), Facts);
        Assert.Empty(TrainingLints.Check(WithBase(new() { Quantization = "nf4" }, "base.double_quant"), Facts));
        Assert.Empty(TrainingLints.Check(WithBase(new() { Quantization = "int8", ComputeDtype = "bfloat16" }, "base.compute_dtype"), Facts));
        Recipe continued = Usual with { Adapter = new() { InitFrom = "a", R = 4 }, Places = new Dictionary<string, RecipePlace> { ["adapter.init_from"] = place, ["adapter.r"] = place } };
        Idle("adapter.r", continued, Facts);
        Assert.Equal(7, TrainingLints.Check(continued, Facts).Single().Line);
    }

    [Fact]
    public void A_setting_that_has_its_partner_is_not_told()
    {
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { SgdMomentum = 0.9, Optim = "sgd", EarlyStoppingPatience = 1, EarlyStoppingThreshold = 0.1, GroupByLength = true, LoraplusLrRatio = 16 } }, Facts));
        Assert.Empty(TrainingLints.Check(Usual with { Train = new() { OptimStateBudget = 1000, Optim = "paged_adamw_8bit", Preference = new() { Loss = "simpo", SimpoGamma = 1, LabelSmoothing = 0.1 } } }, Facts with { Train = Train with { IsPairs = true } }));
    }

    [Fact]
    public void Pairs_that_start_from_an_adapter_are_compared_with_the_base_model_and_that_is_told()
    {
        LintFacts pairs = Facts with { Train = Train with { IsPairs = true } };
        Recipe Continued(PreferenceSection preference) => Usual with { Adapter = new() { InitFrom = "a" }, Train = new() { Preference = preference } };
        Warns("LB0630", Continued(new()), pairs);
        Warns("LB0630", Continued(new() { Loss = "kto" }), pairs);
        Assert.Empty(TrainingLints.Check(Continued(new() { Loss = "orpo" }), pairs));
        Assert.Empty(TrainingLints.Check(Continued(new() { ReferenceFree = true }), pairs));
        Assert.Empty(TrainingLints.Check(Continued(new()), Facts));
    }

    private static void Idle(string key, Recipe recipe, LintFacts facts)
    {
        Core.Diagnostics.Diagnostic found = Assert.Single(TrainingLints.Check(recipe, facts));
        Assert.Equal("LB0619", found.Code);
        Assert.StartsWith(key + " changes nothing: ", found.Message, StringComparison.Ordinal);
    }

    private static void Warns(string code, Recipe recipe, LintFacts? facts = null) => Assert.Equal([code], TrainingLints.Check(recipe, facts ?? Facts).Select(d => d.Code));
}
