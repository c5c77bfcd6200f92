// Comparisons, logic, and the operators; == compares element by element, so null is asked for with `is null`.
using LoraBuild.Torch.Native;
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor eq(Tensor target) => Wrap(lb_eq(handle, target.handle, out nint r), r);

        public Tensor eq(Scalar target) => Wrap(lb_eq_scalar(handle, target.Value, out nint r), r);

        public Tensor eq_(Tensor target) => Self(lb_eq_(handle, target.handle));

        public Tensor eq_(Scalar target) => Self(lb_eq_scalar_(handle, target.Value));

        public Tensor ne(Tensor target) => Wrap(lb_ne(handle, target.handle, out nint r), r);

        public Tensor ne(Scalar target) => Wrap(lb_ne_scalar(handle, target.Value, out nint r), r);

        public Tensor ne_(Tensor target) => Self(lb_ne_(handle, target.handle));

        public Tensor ne_(Scalar target) => Self(lb_ne_scalar_(handle, target.Value));

        public Tensor lt(Tensor target) => Wrap(lb_lt(handle, target.handle, out nint r), r);

        public Tensor lt(Scalar target) => Wrap(lb_lt_scalar(handle, target.Value, out nint r), r);

        public Tensor lt_(Tensor target) => Self(lb_lt_(handle, target.handle));

        public Tensor lt_(Scalar target) => Self(lb_lt_scalar_(handle, target.Value));

        public Tensor le(Tensor target) => Wrap(lb_le(handle, target.handle, out nint r), r);

        public Tensor le(Scalar target) => Wrap(lb_le_scalar(handle, target.Value, out nint r), r);

        public Tensor le_(Tensor target) => Self(lb_le_(handle, target.handle));

        public Tensor le_(Scalar target) => Self(lb_le_scalar_(handle, target.Value));

        public Tensor gt(Tensor target) => Wrap(lb_gt(handle, target.handle, out nint r), r);

        public Tensor gt(Scalar target) => Wrap(lb_gt_scalar(handle, target.Value, out nint r), r);

        public Tensor gt_(Tensor target) => Self(lb_gt_(handle, target.handle));

        public Tensor gt_(Scalar target) => Self(lb_gt_scalar_(handle, target.Value));

        public Tensor ge(Tensor target) => Wrap(lb_ge(handle, target.handle, out nint r), r);

        public Tensor ge(Scalar target) => Wrap(lb_ge_scalar(handle, target.Value, out nint r), r);

        public Tensor ge_(Tensor target) => Self(lb_ge_(handle, target.handle));

        public Tensor ge_(Scalar target) => Self(lb_ge_scalar_(handle, target.Value));

        public Tensor logical_and(Tensor other) => Wrap(lb_logical_and(handle, other.handle, out nint r), r);

        public Tensor logical_and_(Tensor other) => Self(lb_logical_and_(handle, other.handle));

        public Tensor logical_or(Tensor other) => Wrap(lb_logical_or(handle, other.handle, out nint r), r);

        public Tensor logical_or_(Tensor other) => Self(lb_logical_or_(handle, other.handle));

        public Tensor logical_xor(Tensor other) => Wrap(lb_logical_xor(handle, other.handle, out nint r), r);

        public static Tensor operator ==(Tensor left, Tensor right) => left.eq(right);

        public static Tensor operator ==(Tensor left, Scalar right) => left.eq(right);

        public static Tensor operator ==(Scalar left, Tensor right) => right.eq(left);

        public static Tensor operator !=(Tensor left, Tensor right) => left.ne(right);

        public static Tensor operator !=(Tensor left, Scalar right) => left.ne(right);

        public static Tensor operator !=(Scalar left, Tensor right) => right.ne(left);

        public static Tensor operator <(Tensor left, Tensor right) => left.lt(right);

        public static Tensor operator <(Tensor left, Scalar right) => left.lt(right);

        public static Tensor operator <(Scalar left, Tensor right) => right.gt(left);

        public static Tensor operator <=(Tensor left, Tensor right) => left.le(right);

        public static Tensor operator <=(Tensor left, Scalar right) => left.le(right);

        public static Tensor operator <=(Scalar left, Tensor right) => right.ge(left);

        public static Tensor operator >(Tensor left, Tensor right) => left.gt(right);

        public static Tensor operator >(Tensor left, Scalar right) => left.gt(right);

        public static Tensor operator >(Scalar left, Tensor right) => right.lt(left);

        public static Tensor operator >=(Tensor left, Tensor right) => left.ge(right);

        public static Tensor operator >=(Tensor left, Scalar right) => left.ge(right);

        public static Tensor operator >=(Scalar left, Tensor right) => right.le(left);

        public static Tensor operator &(Tensor left, Tensor right) => Wrap(lb_bitwise_and(left.handle, right.handle, out nint r), r);

        public static Tensor operator |(Tensor left, Tensor right) => Wrap(lb_bitwise_or(left.handle, right.handle, out nint r), r);

        public static Tensor operator ^(Tensor left, Tensor right) => Wrap(lb_bitwise_xor(left.handle, right.handle, out nint r), r);

        public static Tensor operator +(Tensor left, Tensor right) => left.add(right);

        public static Tensor operator +(Tensor left, Scalar right) => left.add(right);

        public static Tensor operator -(Tensor left, Tensor right) => left.sub(right);

        public static Tensor operator -(Tensor left, Scalar right) => left.sub(right);

        public static Tensor operator *(Tensor left, Tensor right) => left.mul(right);

        public static Tensor operator *(Tensor left, Scalar right) => left.mul(right);

        public static Tensor operator /(Tensor left, Tensor right) => left.div(right);

        public static Tensor operator /(Tensor left, Scalar right) => left.div(right);

        public static Tensor operator %(Tensor left, Tensor right) => left.remainder(right);

        public static Tensor operator %(Tensor left, Scalar right) => left.remainder(right);

        public static Tensor operator +(Tensor left, int right) => Wrap(lb_add_scalar(left.handle, Number.Of((long)right), Number.One, out nint r), r);

        public static Tensor operator +(int left, Tensor right) => Wrap(lb_add_scalar(right.handle, Number.Of((long)left), Number.One, out nint r), r);

        public static Tensor operator -(Tensor left, int right) => Wrap(lb_sub_scalar(left.handle, Number.Of((long)right), out nint r), r);

        public static Tensor operator -(int left, Tensor right) => Wrap(lb_rsub_scalar(right.handle, Number.Of((long)left), out nint r), r);

        public static Tensor operator *(Tensor left, int right) => Wrap(lb_mul_scalar(left.handle, Number.Of((long)right), out nint r), r);

        public static Tensor operator *(int left, Tensor right) => Wrap(lb_mul_scalar(right.handle, Number.Of((long)left), out nint r), r);

        public static Tensor operator /(Tensor left, int right) => Wrap(lb_div_scalar(left.handle, Number.Of((long)right), 0, out nint r), r);

        public static Tensor operator /(int left, Tensor right) => Wrap(lb_rdiv_scalar(right.handle, Number.Of((long)left), out nint r), r);

        public static Tensor operator %(Tensor left, int right) => Wrap(lb_remainder_scalar(left.handle, Number.Of((long)right), out nint r), r);

        public static Tensor operator +(Tensor left, long right) => Wrap(lb_add_scalar(left.handle, Number.Of(right), Number.One, out nint r), r);

        public static Tensor operator +(long left, Tensor right) => Wrap(lb_add_scalar(right.handle, Number.Of(left), Number.One, out nint r), r);

        public static Tensor operator -(Tensor left, long right) => Wrap(lb_sub_scalar(left.handle, Number.Of(right), out nint r), r);

        public static Tensor operator -(long left, Tensor right) => Wrap(lb_rsub_scalar(right.handle, Number.Of(left), out nint r), r);

        public static Tensor operator *(Tensor left, long right) => Wrap(lb_mul_scalar(left.handle, Number.Of(right), out nint r), r);

        public static Tensor operator *(long left, Tensor right) => Wrap(lb_mul_scalar(right.handle, Number.Of(left), out nint r), r);

        public static Tensor operator /(Tensor left, long right) => Wrap(lb_div_scalar(left.handle, Number.Of(right), 0, out nint r), r);

        public static Tensor operator /(long left, Tensor right) => Wrap(lb_rdiv_scalar(right.handle, Number.Of(left), out nint r), r);

        public static Tensor operator %(Tensor left, long right) => Wrap(lb_remainder_scalar(left.handle, Number.Of(right), out nint r), r);

        public static Tensor operator +(Tensor left, float right) => Wrap(lb_add_scalar(left.handle, Number.Of((double)right), Number.One, out nint r), r);

        public static Tensor operator +(float left, Tensor right) => Wrap(lb_add_scalar(right.handle, Number.Of((double)left), Number.One, out nint r), r);

        public static Tensor operator -(Tensor left, float right) => Wrap(lb_sub_scalar(left.handle, Number.Of((double)right), out nint r), r);

        public static Tensor operator -(float left, Tensor right) => Wrap(lb_rsub_scalar(right.handle, Number.Of((double)left), out nint r), r);

        public static Tensor operator *(Tensor left, float right) => Wrap(lb_mul_scalar(left.handle, Number.Of((double)right), out nint r), r);

        public static Tensor operator *(float left, Tensor right) => Wrap(lb_mul_scalar(right.handle, Number.Of((double)left), out nint r), r);

        public static Tensor operator /(Tensor left, float right) => Wrap(lb_div_scalar(left.handle, Number.Of((double)right), 0, out nint r), r);

        public static Tensor operator /(float left, Tensor right) => Wrap(lb_rdiv_scalar(right.handle, Number.Of((double)left), out nint r), r);

        public static Tensor operator %(Tensor left, float right) => Wrap(lb_remainder_scalar(left.handle, Number.Of((double)right), out nint r), r);

        public static Tensor operator +(Tensor left, double right) => Wrap(lb_add_scalar(left.handle, Number.Of(right), Number.One, out nint r), r);

        public static Tensor operator +(double left, Tensor right) => Wrap(lb_add_scalar(right.handle, Number.Of(left), Number.One, out nint r), r);

        public static Tensor operator -(Tensor left, double right) => Wrap(lb_sub_scalar(left.handle, Number.Of(right), out nint r), r);

        public static Tensor operator -(double left, Tensor right) => Wrap(lb_rsub_scalar(right.handle, Number.Of(left), out nint r), r);

        public static Tensor operator *(Tensor left, double right) => Wrap(lb_mul_scalar(left.handle, Number.Of(right), out nint r), r);

        public static Tensor operator *(double left, Tensor right) => Wrap(lb_mul_scalar(right.handle, Number.Of(left), out nint r), r);

        public static Tensor operator /(Tensor left, double right) => Wrap(lb_div_scalar(left.handle, Number.Of(right), 0, out nint r), r);

        public static Tensor operator /(double left, Tensor right) => Wrap(lb_rdiv_scalar(right.handle, Number.Of(left), out nint r), r);

        public static Tensor operator %(Tensor left, double right) => Wrap(lb_remainder_scalar(left.handle, Number.Of(right), out nint r), r);

        public static Tensor operator +(Scalar left, Tensor right) => right.add(left);

        public static Tensor operator -(Scalar left, Tensor right) => Wrap(lb_rsub_scalar(right.handle, left.Value, out nint r), r);

        public static Tensor operator *(Scalar left, Tensor right) => right.mul(left);

        public static Tensor operator /(Scalar left, Tensor right) => Wrap(lb_rdiv_scalar(right.handle, left.Value, out nint r), r);
    }

    public static Tensor eq(Tensor left, Tensor right) => left.eq(right);

    public static Tensor logical_and(Tensor left, Tensor right) => left.logical_and(right);

    public static Tensor logical_or(Tensor left, Tensor right) => left.logical_or(right);
}
