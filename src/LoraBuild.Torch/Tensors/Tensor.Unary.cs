// Functions of one tensor, element by element; those that end in _ change it.
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor abs() => Wrap(lb_abs(handle, out nint r), r);

        public Tensor abs_() => Self(lb_abs_(handle));

        public Tensor ceil() => Wrap(lb_ceil(handle, out nint r), r);

        public Tensor ceil_() => Self(lb_ceil_(handle));

        public Tensor cos() => Wrap(lb_cos(handle, out nint r), r);

        public Tensor cos_() => Self(lb_cos_(handle));

        public Tensor exp() => Wrap(lb_exp(handle, out nint r), r);

        public Tensor exp_() => Self(lb_exp_(handle));

        public Tensor expm1() => Wrap(lb_expm1(handle, out nint r), r);

        public Tensor expm1_() => Self(lb_expm1_(handle));

        public Tensor floor() => Wrap(lb_floor(handle, out nint r), r);

        public Tensor floor_() => Self(lb_floor_(handle));

        public Tensor log() => Wrap(lb_log(handle, out nint r), r);

        public Tensor log_() => Self(lb_log_(handle));

        public Tensor log10() => Wrap(lb_log10(handle, out nint r), r);

        public Tensor log10_() => Self(lb_log10_(handle));

        public Tensor log1p() => Wrap(lb_log1p(handle, out nint r), r);

        public Tensor log1p_() => Self(lb_log1p_(handle));

        public Tensor log2() => Wrap(lb_log2(handle, out nint r), r);

        public Tensor log2_() => Self(lb_log2_(handle));

        public Tensor logical_not() => Wrap(lb_logical_not(handle, out nint r), r);

        public Tensor logical_not_() => Self(lb_logical_not_(handle));

        public Tensor neg() => Wrap(lb_neg(handle, out nint r), r);

        public Tensor neg_() => Self(lb_neg_(handle));

        public Tensor reciprocal() => Wrap(lb_reciprocal(handle, out nint r), r);

        public Tensor reciprocal_() => Self(lb_reciprocal_(handle));

        public Tensor relu() => Wrap(lb_relu(handle, out nint r), r);

        public Tensor relu_() => Self(lb_relu_(handle));

        public Tensor rsqrt() => Wrap(lb_rsqrt(handle, out nint r), r);

        public Tensor rsqrt_() => Self(lb_rsqrt_(handle));

        public Tensor sigmoid() => Wrap(lb_sigmoid(handle, out nint r), r);

        public Tensor sigmoid_() => Self(lb_sigmoid_(handle));

        public Tensor sign() => Wrap(lb_sign(handle, out nint r), r);

        public Tensor sign_() => Self(lb_sign_(handle));

        public Tensor sin() => Wrap(lb_sin(handle, out nint r), r);

        public Tensor sin_() => Self(lb_sin_(handle));

        public Tensor sqrt() => Wrap(lb_sqrt(handle, out nint r), r);

        public Tensor sqrt_() => Self(lb_sqrt_(handle));

        public Tensor tanh() => Wrap(lb_tanh(handle, out nint r), r);

        public Tensor tanh_() => Self(lb_tanh_(handle));

        public Tensor trunc() => Wrap(lb_trunc(handle, out nint r), r);

        public Tensor trunc_() => Self(lb_trunc_(handle));

        public Tensor erf() => Wrap(lb_erf(handle, out nint r), r);

        public Tensor erf_() => Self(lb_erf_(handle));

        public Tensor isinf() => Wrap(lb_isinf(handle, out nint r), r);

        public Tensor isnan() => Wrap(lb_isnan(handle, out nint r), r);

        public Tensor isfinite() => Wrap(lb_isfinite(handle, out nint r), r);

        public Tensor square() => Wrap(lb_square(handle, out nint r), r);

        public Tensor silu() => Wrap(lb_silu(handle, out nint r), r);

        public Tensor silu_() => Self(lb_silu_(handle));

        public Tensor gelu() => Wrap(lb_gelu(handle, out nint r), r);

        public Tensor zero_() => Self(lb_zero_(handle));

        public Tensor absolute() => abs();

        public Tensor negative() => neg();

        public static Tensor operator -(Tensor tensor) => tensor.neg();

        public static Tensor operator ~(Tensor left) => Wrap(lb_bitwise_not(left.handle, out nint r), r);
    }

    public static Tensor abs(Tensor input) => input.abs();

    public static Tensor ceil(Tensor input) => input.ceil();

    public static Tensor cos(Tensor input) => input.cos();

    public static Tensor exp(Tensor input) => input.exp();

    public static Tensor expm1(Tensor input) => input.expm1();

    public static Tensor floor(Tensor input) => input.floor();

    public static Tensor log(Tensor input) => input.log();

    public static Tensor log1p(Tensor input) => input.log1p();

    public static Tensor log2(Tensor input) => input.log2();

    public static Tensor neg(Tensor input) => input.neg();

    public static Tensor reciprocal(Tensor input) => input.reciprocal();

    public static Tensor rsqrt(Tensor input) => input.rsqrt();

    public static Tensor sigmoid(Tensor input) => input.sigmoid();

    public static Tensor sign(Tensor input) => input.sign();

    public static Tensor sin(Tensor input) => input.sin();

    public static Tensor sqrt(Tensor input) => input.sqrt();

    public static Tensor tanh(Tensor input) => input.tanh();

    public static Tensor square(Tensor input) => input.square();

    public static Tensor isnan(Tensor input) => input.isnan();

    public static Tensor erf(Tensor input) => input.erf();

    public static Tensor isinf(Tensor tensor) => tensor.isinf();

    public static Tensor isfinite(Tensor tensor) => tensor.isfinite();

    public static Tensor logical_not(Tensor input) => input.logical_not();
}
