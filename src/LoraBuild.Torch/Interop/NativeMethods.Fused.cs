// The C functions of native/kernels/ for attention and for the loss.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial int lb_rope(TensorHandle x, TensorHandle cosines, TensorHandle sines, out nint result);

    [LibraryImport(Library)]
    internal static unsafe partial int lb_packed_attention(
        TensorHandle query, TensorHandle key, TensorHandle value, long* queryStarts, long* keyStarts, long documents, double scale, double cap, long window, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_cross_entropy_(
        TensorHandle logits, TensorHandle targets, TensorHandle weights, double scale, double cap, double smoothing, int hasGradient, out nint losses);
}
