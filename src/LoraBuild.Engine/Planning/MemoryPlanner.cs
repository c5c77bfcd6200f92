// The memory formula, part by part. docs/memory.md explains it; nothing is allocated here.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Planning;

public static class MemoryPlanner
{
    public static MemoryPlan Plan(MemoryQuestion question)
    {
        long weights = question.Weights.BytesOf(question.Spec);
        bool isFull = IsFullyTrained(question);
        long trained = question.Trained.Sum(t => t.Count * BytesOf(question, t));
        (long resident, long paged) = question.Optimizer.BytesOf(question.Trained);
        (long activations, long scratch, long offloaded, long layerWork) = Activations(question);
        long logits = Logits(question, question.Batch.Targets, withGradient: true);
        long adapter = isFull ? 0 : trained;
        long gradients = trained;

        // The head's chunk is gone when the layers go backward.
        scratch = Math.Max(0, scratch - logits) + HeadScratch(question);
        if (question.Sharding is { } sharding)
        {
            (weights, scratch) = Shared(question, sharding, weights, scratch);
            long devices = sharding.Devices;
            (adapter, gradients, resident) = sharding.IsOffloaded ? (0, 0, 0) : (adapter / devices, gradients / devices, resident / devices);
        }

        long slack = (long)(question.SlackLayers * layerWork);
        MemoryPart[] parts =
        [
            new("weights", weights), new("adapter", adapter), new("gradients", gradients), new("optimizer", resident),
            new("activations", activations), new("logits", logits), new("scratch", scratch + slack), new("runtime", question.RuntimeBytes),
        ];
        long evaluation = question.Evaluation is { } batch ? weights + adapter + gradients + resident + question.RuntimeBytes + EvaluationBytes(question, batch) : 0;
        return new MemoryPlan(parts, weights + question.ConvertedFileBytes + question.RuntimeBytes, evaluation, paged + offloaded);
    }

    /// <summary>What the layers keep, beside it what the layer that goes backward needs, what waits in a file, and what one layer keeps and needs.</summary>
    public static (long Kept, long Scratch, long Offloaded, long LayerWork) Activations(MemoryQuestion question)
    {
        double perToken = LayerValues(question).Sum(o => o.Values);
        double layer = perToken * question.Batch.Tokens * question.ComputeBytes;
        double inputs = (double)question.Spec.HiddenSize * question.Batch.Tokens * question.ComputeBytes;
        int layers = question.Spec.Layers.Count - FirstTrainedLayer(question);
        double backward = BackwardValues(question) * question.ComputeBytes;
        double dequantized = DequantizedBytes(question);
        long work = (long)(layer + backward);
        return question.Recomputation switch
        {
            Recomputation.None => ((long)(layers * layer), (long)(backward + dequantized), 0, work),
            Recomputation.Layers => ((long)(layers * inputs), work + (long)dequantized, 0, work),
            _ => (0, work + (long)dequantized, (long)(layers * inputs), work),
        };
    }

    /// <summary>What one layer keeps, operand by operand.</summary>
    public static IReadOnlyList<KeptOperand> LayerValues(MemoryQuestion question) => LayerActivations.Of(
        question.Spec, question.Kernels, ModulesOfLayers(question), IsFullyTrained(question), question.LoraDropout, question.Batch);

    private static bool IsFullyTrained(MemoryQuestion question) => question.Trained.Any(t => t.Role == TrainedRole.Base);

    private static int BytesOf(MemoryQuestion question, TrainedTensor tensor) =>
        tensor.Role == TrainedRole.Copy ? question.CopyBytes ?? question.TrainedBytes : question.TrainedBytes;

    private static HashSet<string> ModulesOfLayers(MemoryQuestion question) =>
        [.. question.Trained.Where(t => LayerOf(t) is not null).Select(t => t.ModulePath[(t.ModulePath.LastIndexOf('.') + 1)..])];

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

    /// <summary>Gradients that are there at once in the middle of a layer: of the feed-forward's operands, or of attention's weights and scores.</summary>
    private static double BackwardValues(MemoryQuestion question)
    {
        DecoderSpec spec = question.Spec;
        double feedForward = (2.0 * spec.HiddenSize) + (3.0 * spec.IntermediateSize);
        double scores = question.Kernels.KeepsAttentionWeights ? 2.0 * spec.HeadCount * question.Batch.Pairs / question.Batch.Tokens : 0;
        double attention = (2.0 * spec.HiddenSize) + (2.0 * spec.HeadCount * spec.HeadDim) + scores;
        return Math.Max(feedForward, attention) * question.Batch.Tokens;
    }

    private static double DequantizedBytes(MemoryQuestion question) => question.Weights.Quantization == WeightQuantization.None
        ? 0
        : question.Kernels.DequantizedWeights * ParameterLayout.All(question.Spec).Where(question.Weights.IsQuantized).Max(p => p.Count) * (double)question.ComputeBytes;

    private static long Logits(MemoryQuestion question, long targets, bool withGradient)
    {
        if (question.Kernels.BytesOfWholeLogit is int bytes)
            return targets * question.Spec.VocabSize * bytes;
        long rows = Math.Min(targets, HeadCrossEntropy.RowsOfChunk(question.Spec.VocabSize, withGradient && HeadScratch(question) > 0));
        return rows * question.Spec.VocabSize * sizeof(float) * (withGradient ? question.Kernels.ChunkCopies : 2);
    }

    /// <summary>The dense fp32 gradient of a trained head, or of a trained embedding, on its way to where it is summed.</summary>
    private static long HeadScratch(MemoryQuestion question)
    {
        bool isTrained = IsFullyTrained(question) || question.Trained.Any(t => t.Role == TrainedRole.Copy || t.ModulePath == ParameterLayout.HeadPath);
        return isTrained && question.Kernels.BytesOfWholeLogit is null ? (long)question.Spec.VocabSize * question.Spec.HiddenSize * sizeof(float) : 0;
    }

    /// <summary>Without gradient a layer's operands go as they are used: the largest step of a layer, and the residual stream.</summary>
    private static long EvaluationBytes(MemoryQuestion question, BatchShape batch)
    {
        DecoderSpec spec = question.Spec;
        double scores = question.Kernels.KeepsAttentionWeights ? 2.0 * spec.HeadCount * batch.Pairs : 0;
        double attention = ((3.0 * spec.HeadCount * spec.HeadDim) + (4.0 * spec.KeyValueHeadCount * spec.HeadDim)) * batch.Tokens;
        double layer = Math.Max(attention + scores, 3.0 * spec.IntermediateSize * batch.Tokens) + (3.0 * spec.HiddenSize * batch.Tokens);
        return Math.Max((long)(layer * question.ComputeBytes), Logits(question, batch.Targets, withGradient: false) + (2L * batch.Tokens * spec.HiddenSize * question.ComputeBytes));
    }

    /// <summary>The share of a device, and what is whole on it: embedding, norms and head for the whole pass, and the layers at hand.</summary>
    private static (long Weights, long Scratch) Shared(MemoryQuestion question, Sharding sharding, long weights, long scratch)
    {
        long root = ParameterLayout.All(question.Spec).Where(p => !p.Name.Contains(".layers.", StringComparison.Ordinal)).Sum(question.Weights.BytesOf);
        long layer = (weights - root) / question.Spec.Layers.Count;
        long share = sharding.IsOffloaded ? 0 : weights / sharding.Devices;
        return (share, scratch + root + (sharding.GatheredLayers * layer));
    }
}
