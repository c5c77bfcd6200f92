// The rate at which plain sgemm computes the products of a training step, measured in the same process.
using System.Diagnostics;
using LoraBuild.Engine.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

/// <summary>
/// Forward and input-gradient products of the linear layers (M × in by in × out, and back) and of the head in chunks, into buffers that are already
/// there. Three layers with weights of their own stand for all, so that weights come from memory as they do in a step.
/// </summary>
internal sealed class GemmMix : IDisposable
{
    private const int SampledLayers = 3;

    private readonly ModelShape shape;
    private readonly int headRows; // as the trainer's head takes them with this vocabulary
    private readonly Dictionary<int, Tensor> activations = [];
    private readonly List<Tensor[]> weights = [];
    private readonly Tensor headWeight;
    private readonly Tensor headInput;
    private readonly Tensor headOutput;

    public GemmMix(ModelShape shape, int largestTokenCount)
    {
        this.shape = shape;
        headRows = (int)HeadCrossEntropy.RowsOfChunk(shape.Vocabulary);
        headWeight = randn([shape.Vocabulary, shape.Hidden]);
        headInput = randn([headRows, shape.Hidden]);
        headOutput = zeros([headRows, shape.Vocabulary]);
        foreach (int width in shape.Linears.SelectMany(l => new[] { l.In, l.Out }).Distinct())
            activations[width] = randn([2, largestTokenCount, width]);
        for (int layer = 0; layer < SampledLayers; layer++)
            weights.Add([.. shape.Linears.Select(l => randn([l.Out, l.In]))]);
    }

    /// <returns>Operations a second over the mix of a step with that many tokens.</returns>
    public double Measure(int tokens)
    {
        using IDisposable noGrad = no_grad();
        long start = Stopwatch.GetTimestamp();
        foreach (Tensor[] layer in weights)
        {
            for (int i = 0; i < layer.Length; i++)
                Linear(layer[i], shape.Linears[i].In, shape.Linears[i].Out, tokens);
        }

        double layerSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds * shape.Layers / SampledLayers;
        start = Stopwatch.GetTimestamp();
        using (DisposeScope inner = NewDisposeScope())
        {
            headOutput.addmm_(headInput, headWeight.t(), 0, 1);
            headInput.addmm_(headOutput, headWeight, 1, 1e-9f);
        }

        double headSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds * tokens / headRows;
        double layerOperations = shape.Layers * shape.Linears.Sum(l => 4.0 * l.In * l.Out) * tokens;
        double headOperations = 4.0 * shape.Vocabulary * shape.Hidden * tokens;
        return (layerOperations + headOperations) / (layerSeconds + headSeconds);
    }

    public void Dispose()
    {
        foreach (Tensor tensor in activations.Values.Concat(weights.SelectMany(w => w)).Append(headWeight).Append(headInput).Append(headOutput))
            tensor.Dispose();
    }

    private void Linear(Tensor weight, int columns, int rows, int tokens)
    {
        using DisposeScope inner = NewDisposeScope();
        Tensor x = activations[columns][0].narrow(0, 0, tokens); // [M, in]
        Tensor y = activations[rows][1].narrow(0, 0, tokens); // [M, out]
        y.addmm_(x, weight.t(), 0, 1);
        Tensor gradient = activations[columns][1].narrow(0, 0, tokens);
        if (columns == rows)
            y = activations[rows][0].narrow(0, 0, tokens);
        gradient.addmm_(y, weight, 0, 1);
    }
}
