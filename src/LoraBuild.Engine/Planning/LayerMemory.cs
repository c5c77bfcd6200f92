// Bytes of what the layers keep, and of what the one that goes backward needs beside it.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Planning;

/// <param name="Kept">Of all layers until their backward passes.</param>
/// <param name="Backward">Beside that while the last layer goes backward.</param>
/// <param name="FileBytes">What waits in a file.</param>
internal sealed record LayerMemory(Footprint Kept, Footprint Backward, long FileBytes)
{
    public static LayerMemory Of(MemoryQuestion question)
    {
        BatchShape batch = question.Batch;
        Footprint layer = default;
        foreach (double width in OperandsOf(question).SelectMany(o => o.Widths))
            layer += question.Tensor(width * batch.Tokens * question.ComputeBytes);
        Footprint input = question.Tensor((double)question.Spec.HiddenSize * batch.Tokens * question.ComputeBytes);
        int layers = question.Spec.Layers.Count - FirstTrainedLayer(question);
        Footprint backward = BackwardOf(question) + new Footprint((long)DequantizedBytes(question), 0);
        return question.Recomputation switch
        {
            Recomputation.None => new LayerMemory(layer * layers, backward, 0),
            Recomputation.Layers => new LayerMemory(input * layers, layer + backward, 0),
            _ => new LayerMemory(default, layer + backward, input.Total * layers),
        };
    }

    /// <summary>What one layer keeps, operand by operand.</summary>
    public static IReadOnlyList<KeptOperand> OperandsOf(MemoryQuestion question)
    {
        Dictionary<string, long> ranks = [];
        foreach (TrainedTensor tensor in question.Trained.Where(t => t.Role == TrainedRole.LowRank && LayerOf(t) is not null))
        {
            string module = tensor.ModulePath[(tensor.ModulePath.LastIndexOf('.') + 1)..];
            ranks[module] = Math.Max(ranks.GetValueOrDefault(module), Math.Min(tensor.Shape[0], tensor.Shape[1]));
        }

        return LayerActivations.Of(question, ranks, question.IsFullyTrained);
    }

    /// <summary>Below the first trained module there is no backward pass, and nothing is kept.</summary>
    private static int FirstTrainedLayer(MemoryQuestion question)
    {
        if (question.Trained.Any(t => LayerOf(t) is null && t.ModulePath != ParameterLayout.HeadPath))
            return 0; // the embedding
        return question.Trained.Min(LayerOf) ?? question.Spec.Layers.Count;
    }

    private static int? LayerOf(TrainedTensor tensor)
    {
        string[] parts = tensor.ModulePath.Split('.');
        int place = Array.IndexOf(parts, "layers");
        return place < 0 ? null : int.Parse(parts[place + 1], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Gradients that are there at once in the middle of a layer: of the feed-forward's operands (fused, the gate's is written over that of its product), or of attention's weights and scores.</summary>
    private static Footprint BackwardOf(MemoryQuestion question)
    {
        DecoderSpec spec = question.Spec;
        Footprint Tensors(int count, double width) => question.Tensor(width * question.Batch.Tokens * question.ComputeBytes) * count;
        double pairs = question.Kernels.KeepsAttentionWeights ? (double)spec.HeadCount * question.Batch.Pairs / question.Batch.Tokens : 0;
        Footprint feedForward = Tensors(2, spec.HiddenSize) + Tensors(question.Kernels.IsFused && !question.IsFullyTrained ? 2 : 3, spec.IntermediateSize);
        Footprint attention = Tensors(2, spec.HiddenSize) + Tensors(2, (double)spec.HeadCount * spec.HeadDim) + Tensors(2, pairs);
        return Footprint.Max(feedForward, attention);
    }

    /// <summary>Where a device multiplies with frozen weights that are quantised, or narrower than its arithmetic: what it decodes of one at once.</summary>
    private static double DequantizedBytes(MemoryQuestion question)
    {
        bool isDecoded = question.Weights.Quantization != WeightQuantization.None || question.Weights.PlainBytes < question.ComputeBytes;
        if (question.Kernels.DequantizedWeights == 0 || !isDecoded)
            return 0;
        long largest = ParameterLayout.All(question.Spec).Where(p => p.Kind == ParameterKind.LinearWeight && p.ModulePath != ParameterLayout.HeadPath).Max(p => p.Count);
        return question.Kernels.DequantizedWeights * Math.Min(largest, question.Kernels.MostDecoded ?? largest) * (double)question.ComputeBytes;
    }
}
