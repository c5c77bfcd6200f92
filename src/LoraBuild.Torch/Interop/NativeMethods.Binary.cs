// The C functions of native/elementwise.cpp as they are; every call goes through Check or Wrap of NativeCall.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial int lb_mul(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_mul_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_mul_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_mul_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_pow(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_pow_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_pow_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_pow_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_remainder(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_remainder_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_remainder_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_remainder_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_eq(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_eq_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_eq_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_eq_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_ne(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_ne_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_ne_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_ne_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_lt(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_lt_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_lt_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_lt_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_le(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_le_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_le_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_le_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_gt(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_gt_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_gt_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_gt_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_ge(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_ge_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_ge_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_ge_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_floor_divide(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_floor_divide_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_floor_divide_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_floor_divide_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_maximum(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_minimum(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_bitwise_and(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_bitwise_or(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_bitwise_xor(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_logical_and(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_logical_or(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_logical_xor(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_sub(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_logical_and_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_logical_or_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_sub_(TensorHandle a, TensorHandle b);

    [LibraryImport(Library)]
    internal static partial int lb_add(TensorHandle a, TensorHandle b, Number alpha, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_add_(TensorHandle a, TensorHandle b, Number alpha);

    [LibraryImport(Library)]
    internal static partial int lb_add_scalar(TensorHandle a, Number b, Number alpha, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_add_scalar_(TensorHandle a, Number b, Number alpha);

    [LibraryImport(Library)]
    internal static partial int lb_sub_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_sub_scalar_(TensorHandle a, Number b);

    [LibraryImport(Library)]
    internal static partial int lb_rsub_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_rdiv_scalar(TensorHandle a, Number b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_div(TensorHandle a, TensorHandle b, int mode, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_div_(TensorHandle a, TensorHandle b, int mode);

    [LibraryImport(Library)]
    internal static partial int lb_div_scalar(TensorHandle a, Number b, int mode, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_div_scalar_(TensorHandle a, Number b, int mode);

    [LibraryImport(Library)]
    internal static partial int lb_addcmul(TensorHandle a, TensorHandle b, TensorHandle c, Number value, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_addcmul_(TensorHandle a, TensorHandle b, TensorHandle c, Number value);

    [LibraryImport(Library)]
    internal static partial int lb_addcdiv(TensorHandle a, TensorHandle b, TensorHandle c, Number value, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_addcdiv_(TensorHandle a, TensorHandle b, TensorHandle c, Number value);

    [LibraryImport(Library)]
    internal static partial int lb_lerp(TensorHandle a, TensorHandle end, TensorHandle weight, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_lerp_(TensorHandle a, TensorHandle end, TensorHandle weight);

    [LibraryImport(Library)]
    internal static partial int lb_fill_(TensorHandle a, Number value);

    [LibraryImport(Library)]
    internal static unsafe partial int lb_clamp(TensorHandle a, Number* minimum, Number* maximum, out nint result);

    [LibraryImport(Library)]
    internal static unsafe partial int lb_clamp_(TensorHandle a, Number* minimum, Number* maximum);

    [LibraryImport(Library)]
    internal static partial int lb_where(TensorHandle condition, TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_masked_fill(TensorHandle a, TensorHandle mask, Number value, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_masked_fill_(TensorHandle a, TensorHandle mask, Number value);

    [LibraryImport(Library)]
    internal static unsafe partial int lb_nan_to_num(TensorHandle a, double nan, double* positive, double* negative, out nint result);
}
