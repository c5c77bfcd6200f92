// The checked layer over the C functions: a status becomes an exception, a handle a tensor.
using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Native;

/// <summary>Turns what native calls return into exceptions and tensors.</summary>
internal static class NativeCall
{
    // Exceptions thrown by a callback wait here until the native call that caused the callback returns.
    private static readonly ConcurrentDictionary<long, ExceptionDispatchInfo> Pending = new();
    private static long _lastPending;

    /// <exception cref="ExternalException">libtorch refused; the message is the first line of its own.</exception>
    internal static void Check(int status)
    {
        if (status != 0) Throw(status);
    }

    internal static Tensor Wrap(int status, nint handle)
    {
        if (status != 0) Throw(status);
        return handle == 0 ? null : new Tensor(handle);
    }

    internal static (Tensor, Tensor) Wrap(int status, nint first, nint second)
    {
        if (status != 0) Throw(status);
        return (new Tensor(first), new Tensor(second));
    }

    /// <summary>Takes over an array of handles that the native side allocated.</summary>
    internal static unsafe Tensor[] WrapList(int status, nint array, long count)
    {
        if (status != 0) Throw(status);
        var tensors = new Tensor[count];
        for (long i = 0; i < count; i++)
        {
            nint handle = ((nint*)array)[i];
            tensors[i] = handle == 0 ? null : new Tensor(handle);
        }

        NativeMethods.lb_free(array);
        return tensors;
    }

    /// <summary>The raw handles of a list. The caller keeps the list alive over the call.</summary>
    internal static nint[] Raw(IReadOnlyCollection<Tensor> tensors)
    {
        if (tensors is null || tensors.Count == 0) return [];
        var handles = new nint[tensors.Count];
        int i = 0;
        foreach (Tensor tensor in tensors) handles[i++] = tensor is null ? 0 : tensor.Handle;
        return handles;
    }

    /// <summary>Keeps an exception for the caller of the native function that called back, and returns the number that the native side carries to it.</summary>
    internal static long Hold(Exception exception)
    {
        long id = Interlocked.Increment(ref _lastPending);
        Pending[id] = ExceptionDispatchInfo.Capture(exception);
        return id;
    }

    private static void Throw(int status)
    {
        if (status == 2 && Pending.TryRemove(NativeMethods.lb_last_managed_error(), out ExceptionDispatchInfo held)) held.Throw();
        string text = Marshal.PtrToStringUTF8(NativeMethods.lb_last_error()) ?? string.Empty;
        int end = text.IndexOf('\n', StringComparison.Ordinal);
        throw new ExternalException(end < 0 ? text : text[..end]);
    }
}
