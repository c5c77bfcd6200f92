// The C functions of native/kernels/cuda/ and of libtorch's own attention as they are. Those of cuda/ are in the library only where lb_cuda_has_kernels says so.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial int lb_cuda_is_built(out int result);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_has_kernels();

    [LibraryImport(Library)]
    internal static partial int lb_cuda_fits(TensorHandle tensor, out int result);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_gated(TensorHandle gate, TensorHandle up, long kind, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_cross_entropy(TensorHandle logits, TensorHandle targets, TensorHandle weights, TensorHandle losses, double logitScale, double softcap, double smoothing, int wantsGradient);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_dropout_mask(TensorHandle mask, long seed, long first, double keep);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_frozen_linear(TensorHandle x, in CudaFrozenWeight weight, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_frozen_rows(TensorHandle like, in CudaFrozenWeight weight, long first, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_set_frozen_buffer(long elements);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_adamw(
        ReadOnlySpan<nint> parameters, ReadOnlySpan<nint> gradients, ReadOnlySpan<nint> first, ReadOnlySpan<nint> second, ReadOnlySpan<double> rates, ReadOnlySpan<double> decays, long count, in CudaAdamWStep step);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_memory(int device, out long allocated, out long peakAllocated, out long peakReserved);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_free_memory(int device, out long bytes);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_reset_peak(int device);

    [LibraryImport(Library)]
    internal static partial int lb_total_norm(ReadOnlySpan<nint> tensors, long count, out double total);

    [LibraryImport(Library)]
    internal static partial int lb_has_sdpa_attention();

    [LibraryImport(Library)]
    internal static partial int lb_sdpa_attention(TensorHandle query, TensorHandle keys, TensorHandle values, ReadOnlySpan<long> starts, long documents, double scale, long window, out nint result);
}
