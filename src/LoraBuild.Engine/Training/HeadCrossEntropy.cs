// Cross-entropy through the head in chunks of rows: the loss and its gradients in one pass, never all logits at once.
using LoraBuild.Engine.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

/// <summary>
/// Σ wᵢ·(−log softmax(cap(s · h Wᵀ))[target]) and its gradients. Softmax in fp32, whatever the type of h and W. With label smoothing ε the target is
/// 1 − ε on the token and ε / vocab everywhere, as transformers' LabelSmoother has it.
/// </summary>
/// <param name="Weight">W, [vocab, hidden].</param>
/// <param name="LogitScale">s.</param>
/// <param name="LogitSoftcap">cap(z) = c · tanh(z / c); null: cap(z) = z.</param>
/// <param name="LabelSmoothing">ε.</param>
internal sealed record HeadCrossEntropy(Tensor Weight, double LogitScale, double? LogitSoftcap, double LabelSmoothing = 0)
{
    // Logits of one chunk: 64 MB in fp32. At least this many rows keep the matrix product efficient with a large vocabulary.
    private const long ChunkElements = 1 << 24;
    private const long LeastRows = 64;

    public static long RowsOfChunk(long vocabSize) => Math.Max(LeastRows, ChunkElements / vocabSize);

    /// <param name="hidden">[n, hidden].</param>
    /// <param name="targets">int64 [n].</param>
    /// <param name="scale">What the gradients are multiplied with.</param>
    /// <param name="hiddenGradient">Receives scale · ∂/∂h, [n, hidden] in the type of h; null: not wanted.</param>
    /// <param name="weightGradient">scale · ∂/∂W is added to it, [vocab, hidden] fp32; null: not wanted.</param>
    /// <param name="rowsOfChunk">Rows taken at once.</param>
    /// <param name="weights">w, fp32 [n]; null: 1.</param>
    /// <param name="losses">Receives the token losses without their weights, fp32 [n]; null: not wanted.</param>
    /// <returns>The sum of the weighted token losses, without scale.</returns>
    public double Run(Tensor hidden, Tensor targets, double scale, Tensor? hiddenGradient, Tensor? weightGradient, long rowsOfChunk, Tensor? weights = null, Tensor? losses = null)
    {
        using var measured = StepClock.Loss();
        using IDisposable noGrad = no_grad();
        using DisposeScope outer = NewDisposeScope();
        long count = hidden.shape[0];
        double sum = 0;
        for (long row = 0; row < count; row += rowsOfChunk)
        {
            using DisposeScope scope = NewDisposeScope();
            long rows = Math.Min(rowsOfChunk, count - row);
            Tensor h = hidden.narrow(0, row, rows); // [n, hidden]
            Tensor target = targets.narrow(0, row, rows).unsqueeze(1); // [n, 1]
            Tensor logits = Logits(h); // [n, vocab] fp32
            Tensor logProbabilities = logits.log_softmax(1); // [n, vocab]
            if (LogitSoftcap is null)
                logits.Dispose(); // only the cap's derivative needs them again
            Tensor tokenLosses = TokenLosses(logProbabilities, target); // [n, 1]
            losses?.narrow(0, row, rows).copy_(tokenLosses.squeeze(1));
            Tensor? weight = weights?.narrow(0, row, rows).unsqueeze(1); // [n, 1]
            sum += (weight is null ? tokenLosses : tokenLosses.mul(weight)).sum().item<float>();
            if (hiddenGradient is null && weightGradient is null)
                continue;

            Tensor gradient = logProbabilities.exp_(); // softmax − one-hot
            gradient.scatter_add_(1, target, full([rows, 1], (float)(LabelSmoothing - 1), dtype: ScalarType.Float32, device: h.device));
            if (LabelSmoothing > 0)
                gradient.sub_(LabelSmoothing / gradient.shape[1]);
            if (weight is not null)
                gradient.mul_(weight);
            if (LogitSoftcap is double cap)
                gradient.mul_(logits.div_(cap).square().neg().add_(1)); // d cap(z)/dz = 1 − tanh²(z / c)
            gradient = gradient.to(Weight.dtype);
            double factor = scale * LogitScale;
            hiddenGradient?.narrow(0, row, rows).copy_(gradient.matmul(Weight).mul_(factor));
            if (weightGradient is not null)
                weightGradient.add_(gradient.t().matmul(h.mul(factor)));
        }

        return sum;
    }

    /// <returns>[n, 1]: −(1 − ε)·log p(target) − ε·mean of log p over the vocabulary.</returns>
    private Tensor TokenLosses(Tensor logProbabilities, Tensor target)
    {
        Tensor losses = logProbabilities.gather(1, target).neg_();
        return LabelSmoothing > 0 ? losses.mul_(1 - LabelSmoothing).add_(logProbabilities.mean([1], keepdim: true), -LabelSmoothing) : losses;
    }

    private Tensor Logits(Tensor hidden)
    {
        Tensor logits = nn.functional.linear(hidden, Weight).to(ScalarType.Float32);
        if (LogitScale != 1)
            logits.mul_(LogitScale);
        if (LogitSoftcap is double cap)
            logits.div_(cap).tanh_().mul_(cap);
        return logits;
    }
}
