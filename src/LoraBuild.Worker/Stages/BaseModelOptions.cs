// How a recipe's base model is held in memory: the same in training, evaluation and the gate of merging.
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using static TorchSharp.torch;

namespace LoraBuild.Worker.Stages;

internal static class BaseModelOptions
{
    /// <summary>As training sees it.</summary>
    public static LoadOptions Of(StageWork work, Compute compute)
    {
        Recipe recipe = work.Recipe;
        return new LoadOptions
        {
            Device = compute.Device,
            Dtype = compute.Dtype,
            RandomWeights = recipe.Base.Weights == "random",
            Seed = recipe.Seed,
            HoldsStoredType = recipe.Base.WeightsInMemory == "stored",
            Quantization = Quantization(recipe) is { } quantization ? quantization with { Cache = new QuantizedCache(work.Layout.Quantized, Identity(work.State.Inputs)), Cancellation = work.Cancellation } : null,
        };
    }

    /// <returns>Null: the weights are not quantised.</returns>
    public static QuantizationOptions? Quantization(Recipe recipe) => WeightCodes.Find(recipe.Base.Quantization) is { } code
        ? new QuantizationOptions
        {
            Code = code,
            HasDoubleQuantization = recipe.Base.DoubleQuant,
            ComputeType = recipe.Base.ComputeDtype switch
            {
                "float32" => ScalarType.Float32,
                "bfloat16" => ScalarType.BFloat16,
                _ => null,
            },
        }
        : null;

    /// <summary>What the stage knows of the base model's files.</summary>
    private static string Identity(IReadOnlyDictionary<string, string> inputs) =>
        string.Join('\n', inputs.Where(i => i.Key.StartsWith("base/", StringComparison.Ordinal)).OrderBy(i => i.Key, StringComparer.Ordinal).Select(i => $"{i.Key} {i.Value}"));
}
