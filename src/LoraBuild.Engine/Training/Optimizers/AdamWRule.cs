// AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW computes it.
using System.Numerics;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>p ← p·(1 − lr·wd); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p ← p − lr·(m/(1 − β₁ᵗ)) / (√(v/(1 − β₂ᵗ)) + ε).</summary>
internal sealed class AdamWRule(double beta1, double beta2, double epsilon) : IElementwiseRule
{
    public double Beta1 => beta1;

    public double Beta2 => beta2;

    public double Epsilon => epsilon;

    public IReadOnlyList<string> StateNames { get; } = ["exp_avg", "exp_avg_sq"];

    public void Update(in UpdateNumbers numbers, Span<Vector<float>> parameters, ReadOnlySpan<Vector<float>> gradients, Span<Vector<float>> first, Span<Vector<float>> second)
    {
        (double stepSize, double rootCorrection) = Corrections(numbers);
        Vector<float> scale = new((float)numbers.GradientScale);
        Vector<float> decay = new((float)(1 - (numbers.LearningRate * numbers.WeightDecay)));
        Vector<float> weight1 = new((float)(1 - beta1));
        Vector<float> keep2 = new((float)beta2);
        Vector<float> weight2 = new((float)(1 - beta2));
        Vector<float> root = new((float)rootCorrection);
        Vector<float> small = new((float)epsilon);
        Vector<float> size = new((float)stepSize);
        for (int i = 0; i < parameters.Length; i++)
        {
            Vector<float> g = gradients[i] * scale;
            Vector<float> m = first[i] + (weight1 * (g - first[i]));
            Vector<float> v = (second[i] * keep2) + (weight2 * g * g);
            first[i] = m;
            second[i] = v;
            parameters[i] = (parameters[i] * decay) - (size * (m / ((Vector.SquareRoot(v) / root) + small)));
        }
    }

    public void Update(in UpdateNumbers numbers, Tensor parameters, Tensor gradients, IReadOnlyList<Tensor> states)
    {
        (double stepSize, double rootCorrection) = Corrections(numbers);
        double scale = numbers.GradientScale;
        states[0].mul_(beta1).add_(gradients, (1 - beta1) * scale);
        states[1].mul_(beta2).addcmul_(gradients, gradients, (1 - beta2) * scale * scale);
        using Tensor denominator = states[1].sqrt();
        denominator.div_(rootCorrection).add_(epsilon);
        using Tensor update = states[0].div(denominator);
        parameters.mul_(1 - (numbers.LearningRate * numbers.WeightDecay)).add_(update, -stepSize);
    }

    private (double StepSize, double RootCorrection) Corrections(in UpdateNumbers numbers) =>
        (numbers.LearningRate / (1 - Math.Pow(beta1, numbers.Step)), Math.Sqrt(1 - Math.Pow(beta2, numbers.Step)));
}
