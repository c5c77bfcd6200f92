// The C functions of native/elementwise.cpp as they are; every call goes through Check or Wrap of NativeCall.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial int lb_abs(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_ceil(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_cos(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_erf(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_exp(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_expm1(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_floor(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_log(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_log10(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_log1p(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_log2(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_logical_not(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_neg(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_reciprocal(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_relu(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_round(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_rsqrt(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_sigmoid(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_sign(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_sin(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_sqrt(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_tanh(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_trunc(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_bitwise_not(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_isinf(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_isnan(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_square(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_isfinite(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_abs_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_ceil_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_cos_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_erf_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_exp_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_expm1_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_floor_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_log_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_log10_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_log1p_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_log2_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_logical_not_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_neg_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_reciprocal_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_relu_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_round_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_rsqrt_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_sigmoid_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_sign_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_sin_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_sqrt_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_tanh_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_trunc_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_zero_(TensorHandle a);
}
