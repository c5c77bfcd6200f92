// The C functions of native/reduction.cpp as they are; every call goes through Check or Wrap of NativeCall.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial int lb_max(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_min(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_argmax(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_argmin(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_any(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_all(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_median(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_mean(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_sum(TensorHandle a, int type, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_prod(TensorHandle a, int type, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_sum_dims(TensorHandle a, ReadOnlySpan<long> dims, long count, int keep, int type, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_mean_dims(TensorHandle a, ReadOnlySpan<long> dims, long count, int keep, int type, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_prod_dim(TensorHandle a, long dim, int keep, int type, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_var(TensorHandle a, int unbiased, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_var_dims(TensorHandle a, ReadOnlySpan<long> dims, long count, int unbiased, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_std(TensorHandle a, int unbiased, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_std_dims(TensorHandle a, ReadOnlySpan<long> dims, long count, int unbiased, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_max_dim(TensorHandle a, long dim, int keep, out nint values, out nint indices);

    [LibraryImport(Library)]
    internal static partial int lb_min_dim(TensorHandle a, long dim, int keep, out nint values, out nint indices);

    [LibraryImport(Library)]
    internal static partial int lb_argmax_dim(TensorHandle a, long dim, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_argmin_dim(TensorHandle a, long dim, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_any_dim(TensorHandle a, long dim, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_all_dim(TensorHandle a, long dim, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_amax(TensorHandle a, ReadOnlySpan<long> dims, long count, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_amin(TensorHandle a, ReadOnlySpan<long> dims, long count, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_cumsum(TensorHandle a, long dim, int type, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_logsumexp(TensorHandle a, long dim, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_softmax(TensorHandle a, long dim, int type, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_log_softmax(TensorHandle a, long dim, int type, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_sort(TensorHandle a, long dim, int descending, int stable, out nint values, out nint indices);

    [LibraryImport(Library)]
    internal static partial int lb_argsort(TensorHandle a, long dim, int descending, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_topk(TensorHandle a, long k, long dim, int largest, int sorted, out nint values, out nint indices);

    [LibraryImport(Library)]
    internal static partial int lb_norm(TensorHandle a, double p, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_norm_dim(TensorHandle a, long dim, int keep, double p, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_count_nonzero(TensorHandle a, ReadOnlySpan<long> dims, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_bincount(TensorHandle a, TensorHandle weights, long minimum, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_allclose(TensorHandle a, TensorHandle b, double rtol, double atol, int equalNan, out int result);

    [LibraryImport(Library)]
    internal static partial int lb_isclose(TensorHandle a, TensorHandle b, double rtol, double atol, int equalNan, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_equal(TensorHandle a, TensorHandle b, out int result);
}
