// The C functions of native/kernels/ as they are; every call goes through Check or Wrap of NativeCall.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial void lb_profile_enable(int isEnabled);

    [LibraryImport(Library)]
    internal static partial nint lb_profile_begin(int part);

    [LibraryImport(Library)]
    internal static partial void lb_profile_end(nint timed);

    [LibraryImport(Library)]
    internal static unsafe partial void lb_profile_read(long* nanoseconds, long* calls, int count);

    [LibraryImport(Library)]
    internal static partial int lb_rms_norm(TensorHandle x, TensorHandle weight, double eps, double offset, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_frozen_weight_new(
        in FrozenWeightInfo info, TensorHandle codes, TensorHandle scales, TensorHandle nestedScales, TensorHandle nestedMap, float[] table, out nint weight);

    [LibraryImport(Library)]
    internal static partial void lb_frozen_weight_free(nint weight);

    [LibraryImport(Library)]
    internal static partial int lb_frozen_weight_rows(FrozenWeightHandle weight, long first, long count, out nint rows);

    [LibraryImport(Library)]
    internal static partial int lb_tiled_linear(FrozenWeightHandle weight, TensorHandle x, TensorHandle bias, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_frozen_product_(TensorHandle x, TensorHandle dense, FrozenWeightHandle frozen, int isTransposed, double factor, TensorHandle y);

    [LibraryImport(Library)]
    internal static partial int lb_gated_activation(TensorHandle gate, TensorHandle up, long activation, out nint result);

    [LibraryImport(Library)]
    internal static unsafe partial int lb_linear_group(NativeLinearInput* input, NativeLinear* parts, long count, nint* outputs);
}
