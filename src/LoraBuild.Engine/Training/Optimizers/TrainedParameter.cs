// One parameter with what its group decides: decay and rate.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <param name="WeightDecay">0 for biases and norms.</param>
/// <param name="RateFactor">What the learning rate is multiplied with: 1, or LoRA+'s ratio.</param>
public sealed record TrainedParameter(string Name, Tensor Value, double WeightDecay, double RateFactor)
{
    internal static TrainedParameter Create(string name, Tensor value, TrainOptions options) => new(
        name,
        value,
        WeightDecayRule.Decays(name) ? options.WeightDecay : 0,
        options.LoraPlusRatio is double ratio && IsFast(name, value) ? ratio : 1);

    /// <summary>LoRA+ (Hayou et al. 2024) as PEFT's create_loraplus_optimizer groups: B, and every vector (DoRA's magnitude, biases).</summary>
    private static bool IsFast(string name, Tensor value) => name.Contains("lora_B", StringComparison.Ordinal) || value.dim() == 1;
}
