// What linear layers read, said instead of computed, so that a fused kernel may make it again in the backward pass instead of keeping it.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

internal enum LinearInputKind
{
    Plain,
    Normed,
    Gated,
    GatedHalves,
}

/// <summary>A tensor, its RMSNorm, or act(gate) · up. The tensors are the caller's.</summary>
internal readonly record struct LinearInput
{
    private LinearInput(LinearInputKind kind, Tensor x) => (Kind, X) = (kind, x);

    public LinearInputKind Kind { get; }

    /// <summary>The tensor itself; the gate; gate and up side by side.</summary>
    public Tensor X { get; }

    /// <summary>The norm's weight [in], up, or null.</summary>
    public Tensor? Second { get; private init; }

    public double NormEps { get; private init; }

    public bool HasUnitOffsetNorm { get; private init; }

    public Activation Activation { get; private init; }

    public long Rows => X.shape[0];

    /// <param name="x">[P, in].</param>
    public static LinearInput Plain(Tensor x) => new(LinearInputKind.Plain, x);

    /// <param name="x">[P, in].</param>
    /// <param name="weight">[in].</param>
    public static LinearInput Normed(Tensor x, Tensor weight, double eps, bool hasUnitOffset) =>
        new(LinearInputKind.Normed, x) { Second = weight, NormEps = eps, HasUnitOffsetNorm = hasUnitOffset };

    /// <param name="gate">[P, in].</param>
    /// <param name="up">[P, in].</param>
    public static LinearInput Gated(Tensor gate, Tensor up, Activation activation) => new(LinearInputKind.Gated, gate) { Second = up, Activation = activation };

    /// <param name="both">[P, gate | up].</param>
    public static LinearInput GatedHalves(Tensor both, Activation activation) => new(LinearInputKind.GatedHalves, both) { Activation = activation };

    /// <returns>[P, in], a new tensor; of a plain input another reference to it.</returns>
    public Tensor Make()
    {
        switch (Kind)
        {
            case LinearInputKind.Plain:
                return X.alias();
            case LinearInputKind.Normed:
                return RmsNorm.Apply(X, Second!, NormEps, HasUnitOffsetNorm);
            case LinearInputKind.Gated:
                return GatedActivation.Apply(X, Second!, Activation);
            default:
                long width = X.shape[1] / 2;
                using (Tensor gate = X.narrow(1, 0, width))
                using (Tensor up = X.narrow(1, width, width))
                    return GatedActivation.Apply(gate, up, Activation);
        }
    }
}
