// Settings that are possible and mostly a mistake, told before the first step.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Engine.Training;

/// <param name="Parameters">Of base and adapter; what is usual for large models does not hold for very small ones.</param>
/// <param name="Units">Documents, rows or pairs of a pass.</param>
/// <param name="Steps">Optimizer steps of the run.</param>
public sealed record LintFacts(long Parameters, int Units, int Steps, TokenDocuments Train, TokenDocuments? Evaluation)
{
    /// <summary>Paths of the modules that have an adapter; null: none is trained.</summary>
    public IReadOnlyList<string>? AdaptedModules { get; init; }
}

public static class TrainingLints
{
    private const long SmallModel = 50_000_000;
    private const int SmallSet = 1000;

    /// <summary>Warnings LB0619–LB0631, each at its key.</summary>
    public static IEnumerable<Diagnostic> Check(Recipe recipe, LintFacts facts)
    {
        TrainSection train = recipe.Train;
        AdapterSection adapter = recipe.Adapter;
        bool isLora = adapter.Type != "none";
        bool isLarge = facts.Parameters >= SmallModel;
        bool isSmallSet = facts.Train.Count < SmallSet;
        if (isLora && isLarge && train.LearningRate >= 5e-4)
            yield return Warn("LB0620", "train.learning_rate", $"train.learning_rate is {train.LearningRate:G3}; adapters of large models mostly diverge or forget above 5e-4. Common values are 1e-4 to 2e-4.");
        if (isLora && isLarge && !facts.Train.IsPairs && train.LearningRate < 5e-5)
            yield return Warn("LB0621", "train.learning_rate", $"train.learning_rate is {train.LearningRate:G3}; B starts at zero, and below 5e-5 an adapter hardly moves. Common values are 1e-4 to 2e-4; smaller ones are for full fine-tuning and for preferences.");
        if (train.LrSchedulerType != "constant" && (train.WarmupSteps ?? train.WarmupRatio) == 0)
            yield return Warn("LB0622", "train.warmup_ratio", $"there is no warmup: AdamW's first steps have the full rate before it knows the size of the gradients. Common is a warmup_ratio of 0.03 to 0.1.");
        int warmup = LearningRateSchedule.WarmupStepsOf(train.WarmupSteps, train.WarmupRatio, facts.Steps);
        if (train.LrSchedulerType != "constant" && warmup > 0 && warmup >= facts.Steps)
            yield return Warn("LB0631", train.WarmupSteps is null ? "train.warmup_ratio" : "train.warmup_steps", $"the warmup takes {warmup} steps and the run has {facts.Steps}: it ends before train.learning_rate is reached. Common is a warmup_ratio of 0.03 to 0.1.");
        if (isLora && adapter.R >= 128)
            yield return Warn("LB0623", "adapter.r", $"adapter.r is {adapter.R}; ranks from 128 on cost memory and learn small sets by heart. Common values are 8 to 64.");
        if (isLora && adapter.TargetModulesPattern is null && adapter.TargetModules is ["q_proj"])
            yield return Warn("LB0624", "adapter.target_modules", $"only q_proj is adapted; adapters on all linear modules learn more with fewer parameters. Try target_modules: all-linear with a smaller r.");
        if (isLarge && isSmallSet && train.MaxSteps is null && train.NumTrainEpochs >= 5)
            yield return Warn("LB0625", "train.num_train_epochs", $"{train.NumTrainEpochs:G3} passes over {facts.Train.Count} documents: a small set is learned by heart. Common are 1 to 3; early_stopping_patience ends in time.");
        double ratio = adapter.LoraAlpha / (adapter.UseRslora ? Math.Sqrt(adapter.R) : adapter.R);
        if (isLora && ratio is < 0.5 or > 8)
            yield return Warn("LB0626", "adapter.lora_alpha", $"the update is scaled by {ratio:G3} (lora_alpha {adapter.LoraAlpha:G3}, r {adapter.R}), which is unusual; common is lora_alpha from r to 4·r.");
        if (facts.Evaluation is null)
            yield return Warn("LB0627", "dataset.split.eval", $"nothing is held out, so nobody sees when the model begins to learn by heart, and the last state is taken as the best. Set dataset.split.eval (0.1 is common).");
        else if (IsSame(facts.Train, facts.Evaluation))
            yield return Warn("LB0627", "dataset.split.eval", $"the evaluation documents are the training documents; what is measured on them says nothing about others.");
        if (isSmallSet && train.WeightDecay == 0 && train.Optim != "sgd")
            yield return Warn("LB0628", "train.weight_decay", $"train.weight_decay is 0 with {facts.Train.Count} documents; a small decay (0.01) keeps weights from growing without need.");
        long effective = (long)(train.PerDeviceTrainBatchTokens is null ? train.PerDeviceTrainBatchSize : 1) * train.GradientAccumulationSteps;
        if (effective > facts.Units)
            yield return Warn("LB0629", "train.gradient_accumulation_steps", $"a step takes {effective} {(facts.Train.IsPairs ? "pairs" : "documents or rows")}, and a pass has only {facts.Units}: every pass is one step. Lower gradient_accumulation_steps or per_device_train_batch_size.");
        if (facts.Train.IsPairs && adapter.InitFrom is not null && TrainOptionsBuilder.PreferenceOf(train.Preference).NeedsReference)
            yield return Warn("LB0630", "adapter.init_from", $"the reference of {train.Preference.Loss} is the base model without any adapter, not the adapter that training starts from. To compare with that one, merge it first (lorabuild merge) and train a new adapter on the merged model.");
        foreach ((string key, string why) in IdleSettings.Of(recipe, facts))
            yield return Warn("LB0619", key, $"{key} changes nothing: {why}.");

        Diagnostic Warn(string code, string key, FormattableString message)
        {
            RecipePlace place = recipe.PlaceOf(key);
            return Diagnostic.Warning(code, message.ToString(CultureInfo.InvariantCulture), place.File, place.Line, place.Column);
        }
    }

    private static bool IsSame(TokenDocuments a, TokenDocuments b) => a.InputIds.AsSpan().SequenceEqual(b.InputIds) && a.Offsets.AsSpan().SequenceEqual(b.Offsets);
}
