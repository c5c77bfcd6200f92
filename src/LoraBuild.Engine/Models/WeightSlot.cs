// One named weight of the model, and what an adapter puts in its place.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>A weight by its Hugging Face name, such as <c>model.layers.0.input_layernorm.weight</c>.</summary>
public sealed class WeightSlot
{
    private readonly LinearWeight held;

    /// <param name="baseValue">The model's own value.</param>
    public WeightSlot(string name, Tensor baseValue)
        : this(name, new LinearWeight(baseValue))
    {
    }

    /// <param name="frozen">The model's own value, which is no plain tensor.</param>
    public WeightSlot(string name, IFrozenWeight frozen)
        : this(name, new LinearWeight(frozen))
    {
    }

    private WeightSlot(string name, LinearWeight held)
    {
        Name = name;
        this.held = held;
    }

    public string Name { get; }

    /// <summary>The model's own value.</summary>
    /// <exception cref="InvalidOperationException">It is held otherwise (<see cref="IFrozenWeight"/>): only linear modules' weights are.</exception>
    public Tensor Base => held.Plain ?? throw new InvalidOperationException($"{Name} is no plain tensor");

    public long[] Shape => held.Plain?.shape ?? [held.OutFeatures, held.InFeatures];

    /// <summary>A copy that is used in place of <see cref="Base"/> (<c>modules_to_save</c>, trained biases and rows); null: none.</summary>
    public ReplacedWeight? Replacement { get; internal set; }

    /// <summary>The value in use.</summary>
    public Tensor Value => Replacement is { IsEnabled: true } replacement ? replacement.Value : Base;

    /// <summary>The model's own matrix, however it is held.</summary>
    public LinearWeight BaseMatrix => held;

    /// <summary>The matrix in use.</summary>
    public LinearWeight Matrix => Replacement is { IsEnabled: true } replacement ? replacement.Value : held;
}

/// <summary>A value in place of a weight, switched together with its adapter.</summary>
public sealed class ReplacedWeight(Tensor value, Func<bool> isEnabled)
{
    public Tensor Value { get; } = value;

    public bool IsEnabled => isEnabled();
}
