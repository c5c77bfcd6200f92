// What a recipe could change to need less memory, each with what it would then need.
using System.Globalization;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Planning;

namespace LoraBuild.Worker.Planning;

/// <param name="Change">Recipe keys with their values; empty: as it is.</param>
internal sealed record MemoryOption(string Change, MemoryPlan Plan);

internal static class MemoryOptions
{
    private const string AsItIs = "as it is";

    /// <summary>As it is, each change that is not made yet by itself, and all of them together.</summary>
    public static IReadOnlyList<MemoryOption> Of(Recipe recipe, TrainingMemory memory)
    {
        IReadOnlyList<(string Change, Func<Recipe, Recipe> Apply)> changes = [.. Changes(recipe, memory.IsStoredQuantized)];
        List<MemoryOption> options = [new(AsItIs, memory.Of(recipe)), .. changes.Select(c => new MemoryOption(c.Change, memory.Of(c.Apply(recipe))))];
        if (changes.Count > 1)
            options.Add(new MemoryOption("all of these", memory.Of(changes.Aggregate(recipe, (changed, c) => c.Apply(changed)))));
        return options;
    }

    private static IEnumerable<(string Change, Func<Recipe, Recipe> Apply)> Changes(Recipe recipe, bool isStoredQuantized)
    {
        TrainSection train = recipe.Train;
        if (train.PerDeviceTrainBatchTokens is int tokens && tokens > recipe.Template.MaxLength)
        {
            int half = Math.Max(recipe.Template.MaxLength, tokens / 2);
            yield return (Text($"train.per_device_train_batch_tokens: {half}"), r => r with { Train = r.Train with { PerDeviceTrainBatchTokens = half } });
        }
        else if (train.PerDeviceTrainBatchTokens is null && train.PerDeviceTrainBatchSize > 1)
        {
            int accumulation = train.GradientAccumulationSteps * train.PerDeviceTrainBatchSize;
            yield return (
                Text($"train.per_device_train_batch_size: 1, train.gradient_accumulation_steps: {accumulation}"),
                r => r with { Train = r.Train with { PerDeviceTrainBatchSize = 1, GradientAccumulationSteps = accumulation } });
        }

        if (!train.GradientCheckpointing)
            yield return ("train.gradient_checkpointing: true", r => r with { Train = r.Train with { GradientCheckpointing = true } });
        if (!isStoredQuantized && recipe.Base.Quantization == "none" && recipe.Adapter.Type != "none" && recipe.Base.Weights != "random")
            yield return ("base.quantization: nf4", r => r with { Base = r.Base with { Quantization = "nf4" } });
        if (train.Optim == "adamw")
            yield return ("train.optim: adamw_8bit", r => r with { Train = r.Train with { Optim = "adamw_8bit" } });
        else if (train.Optim == "adamw_8bit")
            yield return ("train.optim: paged_adamw_8bit", r => r with { Train = r.Train with { Optim = "paged_adamw_8bit" } });
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
