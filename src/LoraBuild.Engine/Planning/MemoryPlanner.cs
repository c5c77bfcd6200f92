// The memory formula, part by part. docs/memory.md explains it; nothing is allocated here.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Optimizers;

namespace LoraBuild.Engine.Planning;

public static class MemoryPlanner
{
    public static MemoryPlan Plan(MemoryQuestion question)
    {
        Footprint weights = new(question.Weights.BytesOf(question.Spec), 0);
        bool isFull = question.IsFullyTrained;
        Footprint trained = Sum(question.Trained, t => question.Tensor(t.Count * BytesOf(question, t)));
        (Footprint moments, long paged) = question.Optimizer.BytesOf(question.Trained, question.BlockBytes);
        LayerMemory layers = LayerMemory.Of(question);
        long logits = Logits(question, question.Batch.Targets, withGradient: true);
        Footprint work = Work(question, layers, logits);
        (Footprint adapter, Footprint gradients) = (isFull ? default : trained, trained);
        work += Constants(question);
        if (question.HoldsStart)
            work += trained;
        if (question.Sharding is { } sharding)
        {
            (weights, work) = Shared(question, sharding, weights, work);
            long share = sharding.Devices;
            (adapter, gradients, moments) = sharding.IsOffloaded ? default : (Part(adapter, share), Part(gradients, share), Part(moments, share));
        }

        Footprint held = weights + adapter + gradients + moments;
        Footprint step = held + work;
        Footprint? evaluation = question.Evaluation is { } batch ? held + EvaluationWork(question, batch) : null;

        // Large memory serves one moment after the other, and so does small memory: what one needs most is there in the others, too.
        long fromMalloc = Math.Max(step.Small, evaluation?.Small ?? 0);
        long kept = question.BlockBytes == 0 ? 0 : fromMalloc + ProductWork(question);
        MemoryPart[] parts =
        [
            new("weights", weights.Total), new("adapter", adapter.Total), new("gradients", gradients.Total), new("optimizer", moments.Total),
            new("activations", layers.Kept.Total), new("logits", logits), new("scratch", work.Total - layers.Kept.Total - logits + fromMalloc - step.Small + kept), new("runtime", question.RuntimeBytes),
        ];
        long always = question.RuntimeBytes + kept;
        return new MemoryPlan(
            parts,
            weights.Total + question.ConvertedFileBytes + question.RuntimeBytes,
            evaluation is { } needed ? needed.Large + fromMalloc + always : 0,
            paged + layers.FileBytes);
    }

    /// <summary>What one layer keeps, operand by operand.</summary>
    public static IReadOnlyList<KeptOperand> LayerValues(MemoryQuestion question) => LayerMemory.OperandsOf(question);

    /// <summary>The most that is there beside weights, gradients and moments: in the loss, when the last layer goes backward, at the end of the backward pass, or in the update.</summary>
    private static Footprint Work(MemoryQuestion question, LayerMemory layers, long logits)
    {
        BatchShape batch = question.Batch;
        long vector = (long)question.Spec.HiddenSize * question.ComputeBytes;
        Footprint ofHead = default;
        if (question.Kernels.HeadVectors > 0)
            ofHead = (question.Tensor(vector * batch.Tokens) * (question.Kernels.HeadVectors - 2)) + (question.Tensor(vector * batch.Targets) * 2);
        Footprint ofMatrix = HeadGradient(question);
        Footprint forward = layers.Kept + ofHead + ofMatrix;
        Footprint loss = forward + new Footprint(logits, 0) + HeadProduct(question);
        Footprint backward = forward + layers.Backward + (question.Kernels.HeadVectors > 0 ? question.Tensor(vector * batch.Tokens) : default);
        Footprint end = ofMatrix + TiedGradients(question);
        return Footprint.Max(Footprint.Max(loss, backward), Footprint.Max(end, Update(question)));
    }

    /// <summary>fp32 gradient of a trained head on its way to where it is summed; a head that is put together of what is frozen and trained.</summary>
    private static Footprint HeadGradient(MemoryQuestion question)
    {
        if (question.Kernels.BytesOfWholeLogit is not null || question.Head == HeadTraining.None)
            return default;
        Footprint matrix = question.Tensor((double)question.Spec.VocabSize * question.Spec.HiddenSize * sizeof(float));
        return matrix * (question.Head == HeadTraining.OfParts ? 2 : 1);
    }

    /// <summary>A trained matrix that is embedding and head: at the end of the backward pass the embedding's gradient is beside the head's, and the sum of both beside that which was summed before.</summary>
    private static Footprint TiedGradients(MemoryQuestion question) => question.Kernels.BytesOfWholeLogit is null && question is { Head: HeadTraining.Whole, Spec.IsHeadTied: true }
        ? question.Tensor((double)question.Spec.VocabSize * question.Spec.HiddenSize * question.TrainedBytes) * 2
        : default;

    /// <summary>A chunk's share of that gradient, where it is narrower than its sum, and always on a device.</summary>
    private static Footprint HeadProduct(MemoryQuestion question) =>
        question.Kernels.BytesOfWholeLogit is not null || question.Head == HeadTraining.None || (question.ComputeBytes == sizeof(float) && !question.Kernels.HasDeviceHead)
            ? default
            : question.Tensor((double)question.Spec.VocabSize * question.Spec.HiddenSize * question.ComputeBytes);

    /// <summary>Adafactor's tensors for one parameter; fp32 copies of a parameter and its gradient that are narrower.</summary>
    private static Footprint Update(MemoryQuestion question)
    {
        if (question.Kernels.BytesOfWholeLogit is not null || question.Trained.Count == 0)
            return default;
        Footprint largest = question.Tensor(question.Trained.Max(t => t.Count) * (double)sizeof(float));
        return largest * (question.Optimizer.Kind == OptimizerKind.Adafactor ? 3 : question.TrainedBytes < sizeof(float) ? 2 : 0);
    }

    /// <summary>A product of the BLAS packs one operand, at most a layer's weight in fp32, in memory of its own; malloc keeps as much again. Our own packs panels of half a megabyte.</summary>
    private static long ProductWork(MemoryQuestion question) => question.HasFusedProducts
        ? 0
        : 2 * ParameterLayout.All(question.Spec).Where(p => p.Kind == ParameterKind.LinearWeight && p.ModulePath != ParameterLayout.HeadPath).Max(p => p.Count) * sizeof(float);

    /// <summary>A₀ and B₀ of an adapter that starts from the weights, DoRA's row norms of them.</summary>
    private static Footprint Constants(MemoryQuestion question) => Sum(
        question.Trained.Where(t => t.Role == TrainedRole.Magnitude || (t.Role == TrainedRole.LowRank && question.HasOwnStart)),
        t => question.Tensor(t.Count * sizeof(float)));

    private static Footprint Sum(IEnumerable<TrainedTensor> tensors, Func<TrainedTensor, Footprint> of) => tensors.Aggregate(default(Footprint), (sum, t) => sum + of(t));

    private static Footprint Part(Footprint whole, long share) => new(whole.Large / share, whole.Small / share);

    private static int BytesOf(MemoryQuestion question, TrainedTensor tensor) =>
        tensor.Role == TrainedRole.Copy ? question.CopyBytes ?? question.TrainedBytes : question.TrainedBytes;

    private static long Logits(MemoryQuestion question, long targets, bool withGradient)
    {
        if (question.Kernels.BytesOfWholeLogit is int bytes)
            return targets * question.Spec.VocabSize * bytes;
        if (question.Kernels.HasDeviceHead)
            return Math.Min(targets, HeadCrossEntropy.RowsOfDeviceChunk(question.Spec.VocabSize)) * question.Spec.VocabSize * question.ComputeBytes;
        long rows = HeadCrossEntropy.EqualParts(targets, HeadCrossEntropy.RowsOfChunk(question.Spec.VocabSize, withGradient && question.Head != HeadTraining.None));
        return rows * question.Spec.VocabSize * sizeof(float) * (withGradient || question.Kernels.IsFused ? question.Kernels.ChunkCopies : 2);
    }

    /// <summary>Without gradient a layer's operands go as they are used: the largest step of a layer, and the residual stream.</summary>
    private static Footprint EvaluationWork(MemoryQuestion question, BatchShape batch)
    {
        DecoderSpec spec = question.Spec;
        Footprint Tensors(int count, double width) => question.Tensor(width * batch.Tokens * question.ComputeBytes) * count;
        double pairs = question.Kernels.KeepsAttentionWeights ? (double)spec.HeadCount * batch.Pairs / batch.Tokens : 0;
        Footprint attention = Tensors(3, (double)spec.HeadCount * spec.HeadDim) + Tensors(4, (double)spec.KeyValueHeadCount * spec.HeadDim) + Tensors(2, pairs);
        Footprint layer = Footprint.Max(attention, Tensors(3, spec.IntermediateSize)) + Tensors(3, spec.HiddenSize);
        return Footprint.Max(layer, new Footprint(Logits(question, batch.Targets, withGradient: false), 0) + Tensors(2, spec.HiddenSize));
    }

    /// <summary>The share of a device, and what is whole on it: embedding, norms and head for the whole pass, and the layers at hand.</summary>
    private static (Footprint Weights, Footprint Work) Shared(MemoryQuestion question, Sharding sharding, Footprint weights, Footprint work)
    {
        long root = ParameterLayout.All(question.Spec).Where(p => !p.Name.Contains(".layers.", StringComparison.Ordinal)).Sum(question.Weights.BytesOf);
        long layer = (weights.Total - root) / question.Spec.Layers.Count;
        Footprint share = sharding.IsOffloaded ? default : Part(weights, sharding.Devices);
        return (share, work + new Footprint(root + (sharding.GatheredLayers * layer), 0));
    }
}
