// Stochastic gradient descent as torch.optim.SGD computes it, without dampening.
using System.Numerics;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>d = g + wd·p; with momentum μ: b ← μ·b + d (b starts at 0) and d = b; p ← p − lr·d.</summary>
internal sealed class SgdRule(double momentum) : IElementwiseRule
{
    public IReadOnlyList<string> StateNames { get; } = momentum > 0 ? ["momentum_buffer"] : [];

    public void Update(in UpdateNumbers numbers, Span<Vector<float>> parameters, ReadOnlySpan<Vector<float>> gradients, Span<Vector<float>> first, Span<Vector<float>> second)
    {
        Vector<float> scale = new((float)numbers.GradientScale);
        Vector<float> decay = new((float)numbers.WeightDecay);
        Vector<float> keep = new((float)momentum);
        Vector<float> rate = new((float)numbers.LearningRate);
        bool hasBuffer = !first.IsEmpty;
        for (int i = 0; i < parameters.Length; i++)
        {
            Vector<float> d = (gradients[i] * scale) + (decay * parameters[i]);
            if (hasBuffer)
                first[i] = d = (first[i] * keep) + d;
            parameters[i] -= rate * d;
        }
    }

    public void Update(in UpdateNumbers numbers, Tensor parameters, Tensor gradients, IReadOnlyList<Tensor> states)
    {
        using Tensor direction = gradients.mul(numbers.GradientScale).add_(parameters, numbers.WeightDecay);
        if (states.Count > 0)
            states[0].mul_(momentum).add_(direction);
        parameters.add_(states.Count > 0 ? states[0] : direction, -numbers.LearningRate);
    }
}
