// Views and rearrangements: the same elements in another shape or order, joined or split.
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor view(params long[] shape) => Wrap(lb_view(handle, shape, shape.Length, out nint r), r);

        public Tensor view_as(Tensor other) => view(other.shape);

        public Tensor reshape(params long[] shape) => Wrap(lb_reshape(handle, shape, shape.Length, out nint r), r);

        public Tensor permute(params long[] permutation) => Wrap(lb_permute(handle, permutation, permutation.Length, out nint r), r);

        public Tensor transpose(long dim0, long dim1) => Wrap(lb_transpose(handle, dim0, dim1, out nint r), r);

        public Tensor swapaxes(long dim0, long dim1) => transpose(dim0, dim1);

        public Tensor t() => Wrap(lb_t(handle, out nint r), r);

        /// <summary>All dimensions in reverse order.</summary>
        public Tensor T
        {
            get
            {
                long count = ndim;
                var reversed = new long[count];
                for (long i = 0; i < count; i++) reversed[i] = count - 1 - i;
                return permute(reversed);
            }
        }

        public Tensor mT => transpose(-2, -1);

        public Tensor squeeze(long? dim = null) =>
            dim is long given ? Wrap(lb_squeeze_dim(handle, given, out nint r), r) : Wrap(lb_squeeze(handle, out nint all), all);

        public Tensor unsqueeze(long dim) => Wrap(lb_unsqueeze(handle, dim, out nint r), r);

        public Tensor expand(ReadOnlySpan<long> sizes, bool isImplicit = false) =>
            Wrap(lb_expand(handle, sizes, sizes.Length, isImplicit ? 1 : 0, out nint r), r);

        public Tensor expand(long[] sizes, bool isImplicit = false) => expand((ReadOnlySpan<long>)sizes, isImplicit);

        public Tensor expand(params long[] sizes) => expand((ReadOnlySpan<long>)sizes);

        public Tensor expand_as(Tensor other) => expand((ReadOnlySpan<long>)other.shape);

        public Tensor broadcast_to(params long[] shape) => expand((ReadOnlySpan<long>)shape);

        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Wrap(lb_flatten(handle, start_dim, end_dim, out nint r), r);

        public Tensor unflatten(long dim, params long[] sizes) => Wrap(lb_unflatten(handle, dim, sizes, sizes.Length, out nint r), r);

        public Tensor narrow(long dim, long start, long length) => Wrap(lb_narrow(handle, dim, start, length, out nint r), r);

        public Tensor slice(long dim, long start, long finish, long step) => Wrap(lb_slice(handle, dim, start, finish, step, out nint r), r);

        public Tensor select(long dim, long index) => Wrap(lb_select(handle, dim, index, out nint r), r);

        public Tensor repeat(params long[] sizes) => Wrap(lb_repeat(handle, sizes, sizes.Length, out nint r), r);

        public unsafe Tensor repeat_interleave(long repeats, long? dim = null, long? output_size = null)
        {
            long place = dim ?? 0;
            return Wrap(lb_repeat_interleave(handle, repeats, dim is null ? null : &place, out nint r), r);
        }

        public unsafe Tensor repeat_interleave(Tensor repeats, long? dim = null, long? output_size = null)
        {
            long place = dim ?? 0, size = output_size ?? 0;
            return Wrap(lb_repeat_interleave_tensor(handle, repeats.handle, dim is null ? null : &place, output_size is null ? null : &size, out nint r), r);
        }

        public Tensor roll(long[] shifts, long[] dims) => Wrap(lb_roll(handle, shifts, shifts.Length, dims, dims?.Length ?? 0, out nint r), r);

        public Tensor roll(long shifts, long? dims = null) => roll([shifts], dims is long given ? [given] : []);

        public Tensor flip(params long[] dims) => Wrap(lb_flip(handle, dims, dims.Length, out nint r), r);

        public Tensor triu(long diagonal = 0) => Wrap(lb_triu(handle, diagonal, out nint r), r);

        public Tensor tril(long diagonal = 0) => Wrap(lb_tril(handle, diagonal, out nint r), r);

        public Tensor diag(long diagonal = 0) => Wrap(lb_diag(handle, diagonal, out nint r), r);

        public Tensor[] split(long size, int dim = 0) => WrapList(lb_split(handle, size, dim, out nint array, out long count), array, count);

        public Tensor[] split(long[] sizes, long dim = 0) =>
            WrapList(lb_split_sizes(handle, sizes, sizes.Length, dim, out nint array, out long count), array, count);

        public Tensor[] chunk(long chunks, long dim = 0) => WrapList(lb_chunk(handle, chunks, dim, out nint array, out long count), array, count);

        public Tensor[] unbind(long dimension = 0) => WrapList(lb_unbind(handle, dimension, out nint array, out long count), array, count);
    }

    private static Tensor Join(IReadOnlyCollection<Tensor> tensors, long dim, bool isStack)
    {
        nint[] handles = Raw(tensors);
        int status = isStack ? lb_stack(handles, handles.Length, dim, out nint r) : lb_cat(handles, handles.Length, dim, out r);
        GC.KeepAlive(tensors);
        return Wrap(status, r);
    }

    public static Tensor cat(IList<Tensor> tensors, long dim = 0) => Join([.. tensors], dim, isStack: false);

    public static Tensor cat(Tensor[] tensors, long dim = 0) => Join(tensors, dim, isStack: false);

    public static Tensor stack(IEnumerable<Tensor> tensors, long dim = 0) => Join([.. tensors], dim, isStack: true);

    public static Tensor reshape(Tensor input, params long[] shape) => input.reshape(shape);

    public static Tensor permute(Tensor input, params long[] permutation) => input.permute(permutation);

    public static Tensor transpose(Tensor input, long dim0, long dim1) => input.transpose(dim0, dim1);

    public static Tensor squeeze(Tensor input, long? dim = null) => input.squeeze(dim);

    public static Tensor unsqueeze(Tensor input, long dim) => input.unsqueeze(dim);

    public static Tensor flatten(Tensor input, long start_dim = 0, long end_dim = -1) => input.flatten(start_dim, end_dim);

    public static Tensor narrow(Tensor input, long dim, long start, long length) => input.narrow(dim, start, length);

    public static Tensor select(Tensor input, long dim, long index) => input.select(dim, index);

    public static Tensor flip(Tensor input, params long[] dims) => input.flip(dims);

    public static Tensor triu(Tensor input, long diagonal = 0) => input.triu(diagonal);

    public static Tensor tril(Tensor input, long diagonal = 0) => input.tril(diagonal);

    public static Tensor diag(Tensor input, long diagonal = 0) => input.diag(diagonal);

    public static Tensor clone(Tensor input) => input.clone();

    public static Tensor[] chunk(Tensor input, long chunks, long dim = 0) => input.chunk(chunks, dim);

    public static Tensor[] split(Tensor tensor, long[] split_size_or_sections, long dim = 0) => tensor.split(split_size_or_sections, dim);

    public static Tensor[] unbind(Tensor input, long dim = 0) => input.unbind(dim);
}
