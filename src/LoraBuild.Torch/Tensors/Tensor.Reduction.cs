// Sums, extrema, sorting, norms and softmax over some or all dimensions.
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor sum(ScalarType? type = null) => Wrap(lb_sum(handle, Code(type), out nint r), r);

        public Tensor sum(ReadOnlySpan<long> dim, bool keepdim = false, ScalarType? type = null) =>
            Wrap(lb_sum_dims(handle, dim, dim.Length, keepdim ? 1 : 0, Code(type), out nint r), r);

        public Tensor sum(long[] dim, bool keepdim = false, ScalarType? type = null) => sum((ReadOnlySpan<long>)dim, keepdim, type);

        public Tensor sum(long dim, bool keepdim = false, ScalarType? type = null) => sum([dim], keepdim, type);

        public Tensor sum(long dim0, long dim1, bool keepdim = false, ScalarType? type = null) => sum([dim0, dim1], keepdim, type);

        public Tensor mean() => Wrap(lb_mean(handle, out nint r), r);

        public Tensor mean(long[] dimensions, bool keepdim = false, ScalarType? type = null) =>
            Wrap(lb_mean_dims(handle, dimensions, dimensions.Length, keepdim ? 1 : 0, Code(type), out nint r), r);

        public Tensor prod(ScalarType? type = null) => Wrap(lb_prod(handle, Code(type), out nint r), r);

        public Tensor prod(long dim, bool keepdim = false, ScalarType? type = null) => Wrap(lb_prod_dim(handle, dim, keepdim ? 1 : 0, Code(type), out nint r), r);

        public Tensor var(bool unbiased = true) => Wrap(lb_var(handle, unbiased ? 1 : 0, out nint r), r);

        public Tensor var(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            InType(Wrap(lb_var_dims(handle, dimensions, dimensions.Length, unbiased ? 1 : 0, keepdim ? 1 : 0, out nint r), r), type);

        public Tensor var(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => var([dim], unbiased, keepdim, type);

        public Tensor std(bool unbiased = true) => Wrap(lb_std(handle, unbiased ? 1 : 0, out nint r), r);

        public Tensor std(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            InType(Wrap(lb_std_dims(handle, dimensions, dimensions.Length, unbiased ? 1 : 0, keepdim ? 1 : 0, out nint r), r), type);

        public Tensor std(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => std([dim], unbiased, keepdim, type);

        public Tensor max() => Wrap(lb_max(handle, out nint r), r);

        public Tensor min() => Wrap(lb_min(handle, out nint r), r);

        public (Tensor values, Tensor indexes) max(long dim, bool keepdim = false) =>
            Wrap(lb_max_dim(handle, dim, keepdim ? 1 : 0, out nint values, out nint indices), values, indices);

        public (Tensor values, Tensor indexes) min(long dim, bool keepdim = false) =>
            Wrap(lb_min_dim(handle, dim, keepdim ? 1 : 0, out nint values, out nint indices), values, indices);

        public Tensor amax(params long[] dims) => Wrap(lb_amax(handle, dims, dims.Length, 0, out nint r), r);

        public Tensor amin(params long[] dims) => Wrap(lb_amin(handle, dims, dims.Length, 0, out nint r), r);

        public Tensor amax(long[] dims, bool keepdim = false, Tensor @out = null) =>
            Into(@out, Wrap(lb_amax(handle, dims, dims.Length, keepdim ? 1 : 0, out nint r), r));

        public Tensor amin(long[] dims, bool keepdim = false, Tensor @out = null) =>
            Into(@out, Wrap(lb_amin(handle, dims, dims.Length, keepdim ? 1 : 0, out nint r), r));

        public Tensor argmax() => Wrap(lb_argmax(handle, out nint r), r);

        public Tensor argmin() => Wrap(lb_argmin(handle, out nint r), r);

        public Tensor argmax(long dim, bool keepdim = false) => Wrap(lb_argmax_dim(handle, dim, keepdim ? 1 : 0, out nint r), r);

        public Tensor argmin(long dim, bool keepdim = false) => Wrap(lb_argmin_dim(handle, dim, keepdim ? 1 : 0, out nint r), r);

        public Tensor any() => Wrap(lb_any(handle, out nint r), r);

        public Tensor all() => Wrap(lb_all(handle, out nint r), r);

        public Tensor any(long dim, bool keepdim = false) => Wrap(lb_any_dim(handle, dim, keepdim ? 1 : 0, out nint r), r);

        public Tensor all(long dim, bool keepdim = false) => Wrap(lb_all_dim(handle, dim, keepdim ? 1 : 0, out nint r), r);

        public Tensor median() => Wrap(lb_median(handle, out nint r), r);

        public Tensor cumsum(long dim, ScalarType? type = null) => Wrap(lb_cumsum(handle, dim, Code(type), out nint r), r);

        public Tensor logsumexp(long dim, bool keepdim = false) => Wrap(lb_logsumexp(handle, dim, keepdim ? 1 : 0, out nint r), r);

        public Tensor softmax(long dim, ScalarType? dtype = null) => Wrap(lb_softmax(handle, dim, Code(dtype), out nint r), r);

        public Tensor log_softmax(long dim, ScalarType? dtype = null) => Wrap(lb_log_softmax(handle, dim, Code(dtype), out nint r), r);

        public (Tensor Values, Tensor Indices) sort(long dim = -1, bool descending = false, bool stable = false) =>
            Wrap(lb_sort(handle, dim, descending ? 1 : 0, stable ? 1 : 0, out nint values, out nint indices), values, indices);

        public Tensor argsort(long dim = -1, bool descending = false) => Wrap(lb_argsort(handle, dim, descending ? 1 : 0, out nint r), r);

        public (Tensor values, Tensor indexes) topk(int k, int dim = -1, bool largest = true, bool sorted = true) =>
            Wrap(lb_topk(handle, k, dim, largest ? 1 : 0, sorted ? 1 : 0, out nint values, out nint indices), values, indices);

        public Tensor norm(float p = 2) => Wrap(lb_norm(handle, p, out nint r), r);

        public Tensor norm(int dim, bool keepdim = false, float p = 2) => Wrap(lb_norm_dim(handle, dim, keepdim ? 1 : 0, p, out nint r), r);

        public Tensor count_nonzero(long[] dims = null) => Wrap(lb_count_nonzero(handle, dims, dims?.Length ?? 0, out nint r), r);

        public Tensor bincount(Tensor weights, long minlength = 0) => Wrap(lb_bincount(handle, HandleOf(weights), minlength, out nint r), r);

        // -1 lets libtorch choose the type.
        private static int Code(ScalarType? type) => type is ScalarType given ? (int)given : -1;

        private static Tensor InType(Tensor result, ScalarType? type) => type is ScalarType given ? result.to_type(given, disposeAfter: true) : result;

        private static Tensor Into(Tensor target, Tensor result)
        {
            if (target is null) return result;
            target.copy_(result);
            result.Dispose();
            return target;
        }
    }

    public static Tensor sum(Tensor input, ScalarType? type = null) => input.sum(type);

    public static Tensor sum(Tensor input, long dim, bool keepdim = false, ScalarType? type = null) => input.sum(dim, keepdim, type);

    public static Tensor sum(Tensor input, ReadOnlySpan<long> dim, bool keepdim = false, ScalarType? type = null) => input.sum(dim, keepdim, type);

    public static Tensor mean(Tensor input) => input.mean();

    public static Tensor mean(Tensor input, long[] dimensions, bool keepdim = false, ScalarType? type = null) => input.mean(dimensions, keepdim, type);

    public static Tensor var(Tensor input, bool unbiased = true) => input.var(unbiased);

    public static Tensor std(Tensor input, bool unbiased = true) => input.std(unbiased);

    public static Tensor max(Tensor input) => input.max();

    public static Tensor min(Tensor input) => input.min();

    public static (Tensor values, Tensor indexes) max(Tensor input, long dim, bool keepdim = false) => input.max(dim, keepdim);

    public static (Tensor values, Tensor indexes) min(Tensor input, long dim, bool keepdim = false) => input.min(dim, keepdim);

    public static Tensor argmax(Tensor input) => input.argmax();

    public static Tensor argmax(Tensor input, long dim, bool keepdim = false) => input.argmax(dim, keepdim);

    public static Tensor argmin(Tensor input) => input.argmin();

    public static Tensor argmin(Tensor input, long dim, bool keepdim = false) => input.argmin(dim, keepdim);

    public static Tensor any(Tensor input) => input.any();

    public static Tensor any(Tensor input, long dim, bool keepdim = false) => input.any(dim, keepdim);

    public static Tensor all(Tensor input) => input.all();

    public static Tensor all(Tensor input, long dim, bool keepdim = false) => input.all(dim, keepdim);

    public static Tensor cumsum(Tensor input, long dim, ScalarType? type = null) => input.cumsum(dim, type);

    public static Tensor logsumexp(Tensor input, long dim, bool keepdim = false) => input.logsumexp(dim, keepdim);

    public static Tensor softmax(Tensor input, int dim, ScalarType? dtype = null) => input.softmax(dim, dtype);

    public static (Tensor values, Tensor indices) sort(Tensor input, long dim = -1, bool descending = false, bool stable = false) =>
        input.sort(dim, descending, stable);

    public static Tensor argsort(Tensor input, long dim = -1, bool descending = false) => input.argsort(dim, descending);

    public static (Tensor values, Tensor indices) topk(Tensor tensor, int k, int dim = -1, bool largest = true, bool sorted = true) =>
        tensor.topk(k, dim, largest, sorted);

    public static Tensor norm(Tensor input) => input.norm();

    public static Tensor bincount(Tensor input, Tensor weights = null, long minlength = 0) => input.bincount(weights, minlength);
}
