// Cross-entropy through the head in chunks of rows: the loss and its gradients in one pass, never all logits at once.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

/// <summary>
/// Σ wᵢ·(−log softmax(cap(s · h Wᵀ))[target]) and its gradients. Softmax in fp32, whatever the type of h and W. With label smoothing ε the target is
/// 1 − ε on the token and ε / vocab everywhere, as transformers' LabelSmoother has it.
/// </summary>
/// <param name="Weight">W, [vocab, hidden], however it is held: a tensor, or a stored one that is widened by tile in both products.</param>
/// <param name="LogitScale">s.</param>
/// <param name="LogitSoftcap">cap(z) = c · tanh(z / c); null: cap(z) = z.</param>
/// <param name="LabelSmoothing">ε.</param>
internal sealed partial record HeadCrossEntropy(LinearWeight Weight, double LogitScale, double? LogitSoftcap, double LabelSmoothing = 0)
{
    // Logits of one chunk: 40 MB in fp32, about what a layer needs that goes backward when the chunk is gone. Each chunk reads and widens the whole head, so
    // that fewer rows than these cost time with a large vocabulary (docs/benchmarks.md), and it goes over the whole gradient of one that is trained.
    private const long ChunkElements = 10 << 20;
    private const long ChunkElementsOfTrained = 1 << 24;
    private const long LeastRows = 128;

    // A chunk larger than on a processor, half as wide where the model is bf16: enough rows for the product to fill the device.
    private const long DeviceChunkElements = 1 << 26;
    private const long LeastDeviceRows = 256;

    // A device computes products in squares of this many rows; a part of one costs as much as the whole.
    private const long RowsOfSquare = 128;

    /// <summary>Rows whose logits exist at once, at most.</summary>
    /// <param name="isTrained">The head's weight gets a gradient.</param>
    public static long RowsOfChunk(long vocabSize, bool isTrained = false) => Math.Max(LeastRows, (isTrained ? ChunkElementsOfTrained : ChunkElements) / vocabSize);

    /// <summary>The same where a kernel of our own has the loss on a CUDA device: one buffer of so many rows in the type of the model.</summary>
    public static long RowsOfDeviceChunk(long vocabSize) => WholeSquares(Math.Max(LeastDeviceRows, DeviceChunkElements / vocabSize));

    /// <param name="hidden">[n, hidden].</param>
    /// <param name="targets">int64 [n].</param>
    /// <param name="scale">What the gradients are multiplied with.</param>
    /// <param name="hiddenGradient">Receives scale · ∂/∂h, [n, hidden] in the type of h; null: not wanted.</param>
    /// <param name="weightGradient">scale · ∂/∂W is added to it, [vocab, hidden] fp32; null: not wanted.</param>
    /// <param name="rowsOfChunk">Rows taken at once, at most; null: what suits vocabulary and device.</param>
    /// <param name="weights">w, fp32 [n]; null: 1.</param>
    /// <param name="losses">Receives the token losses without their weights, fp32 [n]; null: not wanted.</param>
    /// <returns>The sum of the weighted token losses, without scale.</returns>
    public double Run(Tensor hidden, Tensor targets, double scale, Tensor? hiddenGradient, Tensor? weightGradient, long? rowsOfChunk = null, Tensor? weights = null, Tensor? losses = null)
    {
        using var measured = StepClock.Loss();
        using IDisposable noGrad = no_grad();
        using DisposeScope outer = NewDisposeScope();
#if NATIVE_KERNELS
        if (IsForDevice(hidden))
            return RunOnDevice(hidden, targets, scale, hiddenGradient, weightGradient, rowsOfChunk is long rows ? WholeSquares(rows) : RowsOfDeviceChunk(Weight.OutFeatures), weights, losses);
#endif
        long count = hidden.shape[0];
        bool hasGradient = hiddenGradient is not null || weightGradient is not null;
        long chunkRows = EqualParts(count, rowsOfChunk ?? RowsOfChunk(Weight.OutFeatures, weightGradient is not null));
        // One buffer for all chunks: memory from the system costs a page fault every 4 KiB.
        Tensor buffer = empty([chunkRows, Weight.OutFeatures], dtype: Weight.Dtype, device: Weight.Device);
        double sum = 0;
        for (long row = 0; row < count; row += chunkRows)
        {
            using DisposeScope scope = NewDisposeScope();
            long rows = Math.Min(chunkRows, count - row);
            Tensor h = hidden.narrow(0, row, rows); // [n, hidden]
            Tensor? weight = weights?.narrow(0, row, rows); // [n]
            Tensor product = buffer.narrow(0, 0, rows); // [n, vocab]
            WeightProduct.Forward_(h, Weight, product);
            Tensor logits = product.to(ScalarType.Float32);
            (Tensor tokenLosses, Tensor? gradient) = CrossEntropy.Apply(logits, targets.narrow(0, row, rows), weight, LogitScale, LogitSoftcap, LabelSmoothing, hasGradient);
            losses?.narrow(0, row, rows).copy_(tokenLosses);
            sum += (weight is null ? tokenLosses : tokenLosses.mul(weight)).sum().item<float>();
            if (gradient is null)
                continue;

            gradient = gradient.to(Weight.Dtype);
            double factor = scale * LogitScale;
            if (hiddenGradient is not null)
                WeightProduct.Backward_(gradient, Weight, factor, hiddenGradient.narrow(0, row, rows));
            if (weightGradient is not null && gradient.dtype == weightGradient.dtype)
                weightGradient.addmm_(gradient.t(), h.mul((float)factor), 1, 1); // nothing else as large as the weight
            else
                weightGradient?.add_(gradient.t().matmul(h.mul((float)factor)));
        }

        return sum;
    }

    private static long WholeSquares(long rows) => rows < RowsOfSquare ? rows : (rows + RowsOfSquare - 1) / RowsOfSquare * RowsOfSquare;

    /// <summary>Rows of a chunk, so that the last one is no small rest for which all of the head would be widened again.</summary>
    internal static long EqualParts(long count, long most)
    {
        long chunks = Math.Max(1, (count + most - 1) / most);
        return (count + chunks - 1) / chunks;
    }
}
