// The gradients that stand at parameters: taken, measured, cleared.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

internal static class GradientTensors
{
    /// <summary>The parameter's gradient, outside of dispose scopes; the caller disposes it. Null: none.</summary>
    public static Tensor? Take(Tensor parameter)
    {
        Tensor? gradient = parameter.grad;
        return gradient?.DetachFromDisposeScope();
    }

    /// <summary>√(Σ g²) over all of them.</summary>
    public static double Norm(IReadOnlyList<Tensor?> gradients)
    {
        using IDisposable noGrad = no_grad();
        List<FloatMemory> atHand = [];
        double sumOfSquares = 0;
        foreach (Tensor gradient in gradients.OfType<Tensor>())
        {
            if (FloatMemory.IsPossible(gradient))
            {
                atHand.Add(FloatMemory.Of(gradient));
                continue;
            }

            using Tensor wide = gradient.to(ScalarType.Float32);
            using Tensor norm = wide.norm();
            double value = norm.item<float>();
            sumOfSquares += value * value;
        }

        return Math.Sqrt(sumOfSquares + FloatMemory.SumOfSquares(atHand));
    }

    public static void Clear(IReadOnlyList<TrainedParameter> parameters)
    {
        using IDisposable noGrad = no_grad();
        foreach (TrainedParameter parameter in parameters)
        {
            using Tensor? gradient = parameter.Value.grad;
            gradient?.zero_();
        }
    }

    public static void Release(IReadOnlyList<Tensor?>? gradients)
    {
        foreach (Tensor? gradient in gradients ?? [])
            gradient?.Dispose();
    }
}
