// The C functions of native/shape.cpp and native/indexing.cpp as they are; every call goes through Check or Wrap of NativeCall.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial int lb_view(TensorHandle a, ReadOnlySpan<long> sizes, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_reshape(TensorHandle a, ReadOnlySpan<long> sizes, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_permute(TensorHandle a, ReadOnlySpan<long> sizes, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_repeat(TensorHandle a, ReadOnlySpan<long> sizes, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_flip(TensorHandle a, ReadOnlySpan<long> sizes, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_expand(TensorHandle a, ReadOnlySpan<long> sizes, long count, int isImplicit, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_transpose(TensorHandle a, long first, long second, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_t(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_squeeze(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_squeeze_dim(TensorHandle a, long dim, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_unsqueeze(TensorHandle a, long dim, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_triu(TensorHandle a, long dim, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_tril(TensorHandle a, long dim, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_diag(TensorHandle a, long dim, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_flatten(TensorHandle a, long start, long end, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_unflatten(TensorHandle a, long dim, ReadOnlySpan<long> sizes, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_narrow(TensorHandle a, long dim, long start, long length, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_slice(TensorHandle a, long dim, long start, long end, long step, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_select(TensorHandle a, long dim, long index, out nint result);

    [LibraryImport(Library)]
    internal static unsafe partial int lb_repeat_interleave(TensorHandle a, long repeats, long* dim, out nint result);

    [LibraryImport(Library)]
    internal static unsafe partial int lb_repeat_interleave_tensor(TensorHandle a, TensorHandle repeats, long* dim, long* size, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_roll(TensorHandle a, ReadOnlySpan<long> shifts, long count, ReadOnlySpan<long> dims, long dimCount, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_cat(ReadOnlySpan<nint> tensors, long count, long dim, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_stack(ReadOnlySpan<nint> tensors, long count, long dim, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_split(TensorHandle a, long size, long dim, out nint array, out long count);

    [LibraryImport(Library)]
    internal static partial int lb_split_sizes(TensorHandle a, ReadOnlySpan<long> sizes, long sizeCount, long dim, out nint array, out long count);

    [LibraryImport(Library)]
    internal static partial int lb_chunk(TensorHandle a, long chunks, long dim, out nint array, out long count);

    [LibraryImport(Library)]
    internal static partial int lb_unbind(TensorHandle a, long dim, out nint array, out long count);

    [LibraryImport(Library)]
    internal static partial int lb_index_select(TensorHandle a, long dim, TensorHandle index, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_gather(TensorHandle a, long dim, TensorHandle index, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_scatter(TensorHandle a, long dim, TensorHandle index, TensorHandle source, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_scatter_(TensorHandle a, long dim, TensorHandle index, TensorHandle source);

    [LibraryImport(Library)]
    internal static partial int lb_scatter_add(TensorHandle a, long dim, TensorHandle index, TensorHandle source, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_scatter_add_(TensorHandle a, long dim, TensorHandle index, TensorHandle source);

    [LibraryImport(Library)]
    internal static partial int lb_index_copy(TensorHandle a, long dim, TensorHandle index, TensorHandle source, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_index_copy_(TensorHandle a, long dim, TensorHandle index, TensorHandle source);

    [LibraryImport(Library)]
    internal static partial int lb_index_add(TensorHandle a, long dim, TensorHandle index, TensorHandle source, Number alpha, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_index_add_(TensorHandle a, long dim, TensorHandle index, TensorHandle source, Number alpha);

    [LibraryImport(Library)]
    internal static partial int lb_index_fill_(TensorHandle a, long dim, TensorHandle index, Number value);

    [LibraryImport(Library)]
    internal static partial int lb_masked_select(TensorHandle a, TensorHandle mask, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_nonzero(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_take(TensorHandle a, TensorHandle index, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_searchsorted(TensorHandle sorted, TensorHandle values, int outInt32, int right, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_index(TensorHandle a, ReadOnlySpan<nint> indices, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_index_put_(TensorHandle a, ReadOnlySpan<nint> indices, long count, TensorHandle value, int accumulate);
}
