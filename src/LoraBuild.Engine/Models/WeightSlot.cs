// One named weight of the model, and what an adapter puts in its place.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>A weight by its Hugging Face name, such as <c>model.layers.0.input_layernorm.weight</c>.</summary>
public sealed class WeightSlot
{
    private readonly LinearWeight held;

    /// <param name="held">The model's own value; a plain tensor of any shape, or a matrix that is held otherwise.</param>
    public WeightSlot(string name, LinearWeight held)
    {
        Name = name;
        this.held = held;
    }

    public string Name { get; }

    /// <summary>The model's own value.</summary>
    /// <exception cref="InvalidOperationException">It is held otherwise (<see cref="IFrozenWeight"/>): only linear modules' weights and embeddings are.</exception>
    public Tensor Base => held.Plain ?? throw new InvalidOperationException($"{Name} is no plain tensor");

    public long[] Shape => held.Plain?.shape ?? [held.OutFeatures, held.InFeatures];

    /// <summary>The type in which the model's own value takes part in the arithmetic.</summary>
    public ScalarType Dtype => held.Dtype;

    /// <summary>A copy that is used in place of <see cref="Base"/> (<c>modules_to_save</c>, trained biases and rows); null: none.</summary>
    public ReplacedWeight? Replacement { get; internal set; }

    /// <summary>The value in use.</summary>
    /// <exception cref="InvalidOperationException">It is no plain tensor.</exception>
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
