// The same on a CUDA device with a kernel of our own: logits stay in the type of the model, and their gradient takes their place.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

internal sealed partial record HeadCrossEntropy
{
    private bool IsForDevice(Tensor hidden) => CudaKernels.Fit(hidden) && Weight.Plain is Tensor plain && CudaKernels.Fit(plain) && hidden.dtype == plain.dtype;

    /// <summary>As <see cref="Run"/>. The device is waited for once, for the sum.</summary>
    private double RunOnDevice(Tensor hidden, Tensor targets, double scale, Tensor? hiddenGradient, Tensor? weightGradient, long rowsOfChunk, Tensor? weights, Tensor? losses)
    {
        Tensor weight = Weight.Plain!;
        long count = hidden.shape[0];
        float factor = (float)(scale * LogitScale);
        Tensor tokenLosses = empty([count], dtype: ScalarType.Float32, device: hidden.device);
        Tensor buffer = empty([Math.Min(count, rowsOfChunk), weight.shape[0]], dtype: weight.dtype, device: weight.device); // for all chunks
        using Tensor transposed = weight.t();
        for (long row = 0; row < count; row += rowsOfChunk)
        {
            using DisposeScope scope = NewDisposeScope();
            long rows = Math.Min(rowsOfChunk, count - row);
            Tensor h = hidden.narrow(0, row, rows); // [n, hidden]
            Tensor logits = buffer.narrow(0, 0, rows).addmm_(h, transposed, 0, 1); // [n, vocab]
            CudaKernels.CrossEntropy(
                logits, targets.narrow(0, row, rows), weights?.narrow(0, row, rows), tokenLosses.narrow(0, row, rows), LogitScale, LogitSoftcap ?? 0, LabelSmoothing,
                wantsGradient: hiddenGradient is not null || weightGradient is not null);
            hiddenGradient?.narrow(0, row, rows).addmm_(logits, weight, 0, factor);
            weightGradient?.add_(logits.t().matmul(h.mul(factor)));
        }

        losses?.copy_(tokenLosses);
        return (weights is null ? tokenLosses : tokenLosses.mul(weights)).sum(ScalarType.Float64).item<double>();
    }
}
#endif
