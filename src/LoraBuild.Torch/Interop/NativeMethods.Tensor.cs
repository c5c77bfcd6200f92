// The C functions of native/tensor.cpp, native/creation.cpp and native/random.cpp as they are; every call goes through Check or Wrap of NativeCall.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial long lb_ndim(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial long lb_numel(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial long lb_element_size(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial long lb_storage_offset(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_dtype(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_device_type(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_device_index(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_requires_grad(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_is_leaf(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_is_contiguous(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial long lb_sizes(TensorHandle a, Span<long> values, long capacity);

    [LibraryImport(Library)]
    internal static partial long lb_strides(TensorHandle a, Span<long> values, long capacity);

    [LibraryImport(Library)]
    internal static partial nint lb_same_impl(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_data_ptr(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_item_double(TensorHandle a, out double result);

    [LibraryImport(Library)]
    internal static partial int lb_item_int64(TensorHandle a, out long result);

    [LibraryImport(Library)]
    internal static partial int lb_set_requires_grad(TensorHandle a, int value);

    [LibraryImport(Library)]
    internal static partial int lb_grad(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_set_grad(TensorHandle a, TensorHandle grad);

    [LibraryImport(Library)]
    internal static partial int lb_retain_grad(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_share(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_alias(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_detach(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_clone(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_contiguous(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_pin_memory(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_detach_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_to(TensorHandle a, int type, int deviceType, int deviceIndex, int nonBlocking, int copy, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_copy_(TensorHandle a, TensorHandle source, int nonBlocking);

    [LibraryImport(Library)]
    internal static partial int lb_set_(TensorHandle a, TensorHandle source);

    [LibraryImport(Library)]
    internal static partial int lb_zeros(ReadOnlySpan<long> sizes, long count, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_ones(ReadOnlySpan<long> sizes, long count, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_empty(ReadOnlySpan<long> sizes, long count, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_full(ReadOnlySpan<long> sizes, long count, Number value, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_arange(Number start, Number stop, Number step, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_linspace(double start, double end, long steps, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_eye(long rows, long columns, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static unsafe partial int lb_from_memory(void* data, long bytes, ReadOnlySpan<long> sizes, long count, int type, out nint result);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int lb_from_file(string path, int shared, long size, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_full_like(TensorHandle a, Number value, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_zeros_like(TensorHandle a, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_empty_like(TensorHandle a, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_generator_new(long seed, int deviceType, int deviceIndex, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_generator_default(out nint result);

    [LibraryImport(Library)]
    internal static partial void lb_generator_free(nint generator);

    [LibraryImport(Library)]
    internal static partial int lb_generator_seed(GeneratorHandle generator, long seed);

    [LibraryImport(Library)]
    internal static partial int lb_generator_reseed(GeneratorHandle generator, out long result);

    [LibraryImport(Library)]
    internal static partial int lb_generator_initial_seed(GeneratorHandle generator, out long result);

    [LibraryImport(Library)]
    internal static partial int lb_generator_get_state(GeneratorHandle generator, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_generator_set_state(GeneratorHandle generator, TensorHandle state);

    [LibraryImport(Library)]
    internal static partial int lb_manual_seed(long seed);

    [LibraryImport(Library)]
    internal static partial int lb_rand(ReadOnlySpan<long> sizes, long count, GeneratorHandle generator, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_randn(ReadOnlySpan<long> sizes, long count, GeneratorHandle generator, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_randint(long low, long high, ReadOnlySpan<long> sizes, long count, GeneratorHandle generator, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_randperm(long n, GeneratorHandle generator, int type, int deviceType, int deviceIndex, int requiresGrad, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_multinomial(TensorHandle a, long samples, int replacement, GeneratorHandle generator, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_normal_(TensorHandle a, double mean, double std, GeneratorHandle generator);

    [LibraryImport(Library)]
    internal static partial int lb_uniform_(TensorHandle a, double from, double to, GeneratorHandle generator);

    [LibraryImport(Library)]
    internal static partial int lb_bernoulli_(TensorHandle a, double p, GeneratorHandle generator);

    [LibraryImport(Library)]
    internal static partial int lb_exponential_(TensorHandle a, double lambda, GeneratorHandle generator);

    [LibraryImport(Library)]
    internal static partial int lb_random_(TensorHandle a, long from, long to, GeneratorHandle generator);
}
