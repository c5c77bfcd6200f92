// An update in which each element depends only on itself: its formula on vectors, and the same on tensors for other devices.
using System.Numerics;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <param name="LearningRate">Of this step and this parameter.</param>
/// <param name="GradientScale">What gradients are multiplied with before anything else (clipping).</param>
/// <param name="Step">t, from 1.</param>
internal readonly record struct UpdateNumbers(double LearningRate, double WeightDecay, double GradientScale, int Step);

internal interface IElementwiseRule
{
    /// <summary>torch's names of what is remembered of each element; at most two.</summary>
    IReadOnlyList<string> StateNames { get; }

    /// <summary>One pass over memory: reads gradients, updates parameters and states in place. A state that there is not is empty.</summary>
    void Update(in UpdateNumbers numbers, Span<Vector<float>> parameters, ReadOnlySpan<Vector<float>> gradients, Span<Vector<float>> first, Span<Vector<float>> second);

    /// <summary>The same in tensor calls, fp32 [elements] each: states are updated in place, <paramref name="parameters"/> receives the new values.</summary>
    void Update(in UpdateNumbers numbers, Tensor parameters, Tensor gradients, IReadOnlyList<Tensor> states);
}
