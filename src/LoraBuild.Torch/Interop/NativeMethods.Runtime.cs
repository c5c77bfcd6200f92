// The C functions of native/runtime.cpp, native/error.cpp and native/autograd.cpp as they are; every call goes through Check or Wrap of NativeCall.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial nint lb_last_error();

    [LibraryImport(Library)]
    internal static partial long lb_last_managed_error();

    [LibraryImport(Library)]
    internal static partial void lb_free(nint memory);

    [LibraryImport(Library)]
    internal static partial long lb_live_tensors();

    [LibraryImport(Library)]
    internal static partial void lb_tensor_free(nint handle);

    [LibraryImport(Library)]
    internal static partial nint lb_torch_version();

    [LibraryImport(Library)]
    internal static partial nint lb_torch_config();

    [LibraryImport(Library)]
    internal static partial int lb_get_num_threads();

    [LibraryImport(Library)]
    internal static partial int lb_set_num_threads(int count);

    [LibraryImport(Library)]
    internal static partial int lb_get_num_interop_threads();

    [LibraryImport(Library)]
    internal static partial int lb_set_num_interop_threads(int count);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_is_available(out int result);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_device_count(out int result);

    [LibraryImport(Library)]
    internal static partial int lb_cuda_synchronize(int index);

    [LibraryImport(Library)]
    internal static partial int lb_grad_enabled();

    [LibraryImport(Library)]
    internal static partial void lb_set_grad_enabled(int enabled);

    [LibraryImport(Library)]
    internal static partial int lb_inference_mode_enabled();

    [LibraryImport(Library)]
    internal static partial int lb_inference_mode_enter(int enabled, out nint mode);

    [LibraryImport(Library)]
    internal static partial void lb_inference_mode_leave(nint mode);

    [LibraryImport(Library)]
    internal static partial int lb_backward(ReadOnlySpan<nint> roots, long count, ReadOnlySpan<nint> grads, long gradCount, int retain, int create, ReadOnlySpan<nint> inputs, long inputCount);

    [LibraryImport(Library)]
    internal static partial int lb_autograd_grad(ReadOnlySpan<nint> outputs, long count, ReadOnlySpan<nint> inputs, long inputCount, ReadOnlySpan<nint> grads, long gradCount, int retain, int create, int allowUnused, Span<nint> results);

    [LibraryImport(Library)]
    internal static unsafe partial void lb_function_callbacks(delegate* unmanaged[Cdecl]<nint, nint, nint*, long, nint*, long, long> backward, delegate* unmanaged[Cdecl]<nint, void> release);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int lb_function_begin(nint managed, string title, ReadOnlySpan<nint> arguments, long count, out nint node);

    [LibraryImport(Library)]
    internal static partial int lb_function_save(nint node, ReadOnlySpan<nint> tensors, long count);

    [LibraryImport(Library)]
    internal static partial int lb_function_end(nint node, ReadOnlySpan<nint> arguments, long argumentCount, Span<nint> outputs, long outputCount, ReadOnlySpan<nint> dirty, long dirtyCount, ReadOnlySpan<nint> constant, long constantCount, int materialize);

    [LibraryImport(Library)]
    internal static partial void lb_function_free(nint node);

    [LibraryImport(Library)]
    internal static partial int lb_function_saved(nint node, out nint array, out long count);

    [LibraryImport(Library)]
    internal static partial int lb_adamw_step(TensorHandle parameter, TensorHandle expAvg, TensorHandle expAvgSq, TensorHandle maxExpAvgSq, in AdamWStep step);

    [LibraryImport(Library)]
    internal static partial int lb_clip_grad_norm(ReadOnlySpan<nint> parameters, long count, double maxNorm, double normType, out double total);

    [LibraryImport(Library)]
    internal static partial int lb_zero_grad(TensorHandle parameter, int setToNone);

    [LibraryImport(Library)]
    internal static partial void lb_allocator_trim();

    [LibraryImport(Library)]
    internal static partial void lb_allocator_state(out long live, out long mostLive, out long reserved);
}
