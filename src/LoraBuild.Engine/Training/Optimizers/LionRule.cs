// Lion (Chen et al. 2023, Algorithm 2): the sign of an interpolated momentum.
using System.Numerics;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>c = β₁m + (1 − β₁)g; p ← p·(1 − lr·wd) − lr·sign(c); m ← β₂m + (1 − β₂)g.</summary>
internal sealed class LionRule(double beta1, double beta2) : IElementwiseRule
{
    public IReadOnlyList<string> StateNames { get; } = ["exp_avg"];

    public void Update(in UpdateNumbers numbers, Span<Vector<float>> parameters, ReadOnlySpan<Vector<float>> gradients, Span<Vector<float>> first, Span<Vector<float>> second)
    {
        Vector<float> scale = new((float)numbers.GradientScale);
        Vector<float> decay = new((float)(1 - (numbers.LearningRate * numbers.WeightDecay)));
        Vector<float> rate = new((float)numbers.LearningRate);
        Vector<float> keep1 = new((float)beta1);
        Vector<float> weight1 = new((float)(1 - beta1));
        Vector<float> keep2 = new((float)beta2);
        Vector<float> weight2 = new((float)(1 - beta2));
        for (int i = 0; i < parameters.Length; i++)
        {
            Vector<float> g = gradients[i] * scale;
            Vector<float> c = (first[i] * keep1) + (g * weight1);
            Vector<float> step = Vector.ConditionalSelect(
                Vector.GreaterThan(c, Vector<float>.Zero), rate, Vector.ConditionalSelect(Vector.LessThan(c, Vector<float>.Zero), -rate, Vector<float>.Zero));
            parameters[i] = (parameters[i] * decay) - step;
            first[i] = (first[i] * keep2) + (g * weight2);
        }
    }

    public void Update(in UpdateNumbers numbers, Tensor parameters, Tensor gradients, IReadOnlyList<Tensor> states)
    {
        using Tensor direction = states[0].mul(beta1).add_(gradients, (1 - beta1) * numbers.GradientScale).sign_();
        parameters.mul_(1 - (numbers.LearningRate * numbers.WeightDecay)).add_(direction, -numbers.LearningRate);
        states[0].mul_(beta2).add_(gradients, (1 - beta2) * numbers.GradientScale);
    }
}
