// One named weight of the model, and what an adapter puts in its place.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <param name="name">Hugging Face name, such as <c>model.layers.0.input_layernorm.weight</c>.</param>
/// <param name="baseValue">The model's own value.</param>
public sealed class WeightSlot(string name, Tensor baseValue)
{
    public string Name { get; } = name;

    public Tensor Base { get; } = baseValue;

    /// <summary>A copy that is used in place of <see cref="Base"/> (<c>modules_to_save</c>, trained biases and rows); null: none.</summary>
    public ReplacedWeight? Replacement { get; internal set; }

    /// <summary>The value in use.</summary>
    public Tensor Value => Replacement is { IsEnabled: true } replacement ? replacement.Value : Base;
}

/// <summary>A value in place of a weight, switched together with its adapter.</summary>
public sealed class ReplacedWeight(Tensor value, Func<bool> isEnabled)
{
    public Tensor Value { get; } = value;

    public bool IsEnabled => isEnabled();
}
