// A frozen or trained linear module, and what an adapter adds to it.
using LoraBuild.Engine.Models.Kernels;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>What an adapter makes of a linear module: y = adapter(x, W, b).</summary>
public interface ILinearAdapter
{
    bool IsEnabled { get; }

    /// <param name="x">[P, in].</param>
    /// <returns>[P, out], a new tensor that the caller may write into.</returns>
    Tensor Forward(Tensor x, LinearWeight weight, Tensor? bias);

    /// <summary>The weight with which a plain product gives the same as <see cref="Forward"/> without dropout: [out, in], differentiable.</summary>
    Tensor EffectiveWeight(LinearWeight weight);

    /// <summary>A [r, in], B [out, r] and s where <see cref="Forward"/> is W x + b + s · B(A drop(x)) and nothing more; null: it is something else.</summary>
    (Tensor A, Tensor B, double Scaling)? LowRank => null;

    /// <param name="rows">P.</param>
    /// <param name="width">in.</param>
    /// <returns>What drops inputs of A now, the same whenever seed and shape are the same; null: nothing is dropped.</returns>
    DropoutDraw? Dropout(long rows, long width) => null;
}

/// <summary>y = x Wᵀ + b.</summary>
public sealed class LinearLayer
{
    private readonly WeightSlot weight;
    private readonly WeightSlot? bias;

    internal LinearLayer(string path, WeightSlot weight, WeightSlot? bias)
    {
        Path = path;
        this.weight = weight;
        this.bias = bias;
    }

    /// <summary>Module path such as <c>model.layers.0.self_attn.q_proj</c>.</summary>
    public string Path { get; }

    /// <summary>[out, in], the model's own; of a tied head the embedding.</summary>
    public LinearWeight BaseMatrix => weight.BaseMatrix;

    /// <summary>[out, in]; of a tied head the embedding.</summary>
    /// <exception cref="InvalidOperationException">The weight is no plain tensor.</exception>
    public Tensor BaseWeight => weight.Base;

    /// <summary>[out], or null.</summary>
    public Tensor? Bias => bias?.Value;

    public long InFeatures => BaseMatrix.InFeatures;

    public long OutFeatures => BaseMatrix.OutFeatures;

    public ILinearAdapter? Adapter { get; internal set; }

    /// <summary>The adapter if it is switched on.</summary>
    internal ILinearAdapter? ActiveAdapter => Adapter is { IsEnabled: true } adapter ? adapter : null;

    /// <summary>[out, in]: the weight in use, without an adapter's low-rank part.</summary>
    public LinearWeight Matrix => weight.Matrix;

    /// <summary>The same where it is a plain tensor.</summary>
    /// <exception cref="InvalidOperationException">The weight is no plain tensor.</exception>
    public Tensor Weight => weight.Value;

    /// <param name="x">[P, in].</param>
    /// <returns>[P, out], a new tensor.</returns>
    public Tensor Forward(Tensor x) => LinearGroup.Forward(LinearInput.Plain(x), this)[0];

    /// <summary>The same in tensor calls.</summary>
    internal Tensor Reference(Tensor x) => ActiveAdapter is { } adapter ? adapter.Forward(x, Matrix, Bias) : Matrix.Linear(x, Bias);
}
