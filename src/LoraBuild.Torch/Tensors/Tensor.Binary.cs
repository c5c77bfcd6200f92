// Functions of two and three tensors, element by element with broadcasting; those that end in _ change the first.
using LoraBuild.Torch.Native;
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor mul(Tensor target) => Wrap(lb_mul(handle, target.handle, out nint r), r);

        public Tensor mul(Scalar target) => Wrap(lb_mul_scalar(handle, target.Value, out nint r), r);

        public Tensor mul_(Tensor target) => Self(lb_mul_(handle, target.handle));

        public Tensor mul_(Scalar target) => Self(lb_mul_scalar_(handle, target.Value));

        public Tensor remainder(Tensor target) => Wrap(lb_remainder(handle, target.handle, out nint r), r);

        public Tensor remainder(Scalar scalar) => Wrap(lb_remainder_scalar(handle, scalar.Value, out nint r), r);

        public Tensor remainder_(Tensor target) => Self(lb_remainder_(handle, target.handle));

        public Tensor remainder_(Scalar scalar) => Self(lb_remainder_scalar_(handle, scalar.Value));

        public Tensor floor_divide(Tensor other) => Wrap(lb_floor_divide(handle, other.handle, out nint r), r);

        public Tensor floor_divide(Scalar other) => Wrap(lb_floor_divide_scalar(handle, other.Value, out nint r), r);

        public Tensor floor_divide_(Tensor other) => Self(lb_floor_divide_(handle, other.handle));

        public Tensor floor_divide_(Scalar other) => Self(lb_floor_divide_scalar_(handle, other.Value));

        public Tensor pow(Tensor exponent) => Wrap(lb_pow(handle, exponent.handle, out nint r), r);

        public Tensor pow(Scalar exponent) => Wrap(lb_pow_scalar(handle, exponent.Value, out nint r), r);

        public Tensor pow_(Tensor exponent) => Self(lb_pow_(handle, exponent.handle));

        public Tensor pow_(Scalar exponent) => Self(lb_pow_scalar_(handle, exponent.Value));

        public Tensor add(Tensor target) => Wrap(lb_add(handle, target.handle, Number.One, out nint r), r);

        public Tensor add(Tensor target, Scalar alpha) => Wrap(lb_add(handle, target.handle, alpha.Value, out nint r), r);

        public Tensor add(Scalar scalar) => Wrap(lb_add_scalar(handle, scalar.Value, Number.One, out nint r), r);

        public Tensor add(Scalar scalar, Scalar alpha) => Wrap(lb_add_scalar(handle, scalar.Value, alpha.Value, out nint r), r);

        public Tensor add_(Tensor target) => Self(lb_add_(handle, target.handle, Number.One));

        public Tensor add_(Tensor target, Scalar alpha) => Self(lb_add_(handle, target.handle, alpha.Value));

        public Tensor add_(Scalar scalar) => Self(lb_add_scalar_(handle, scalar.Value, Number.One));

        public Tensor add_(Scalar scalar, Scalar alpha) => Self(lb_add_scalar_(handle, scalar.Value, alpha.Value));

        public Tensor sub(Tensor target) => Wrap(lb_sub(handle, target.handle, out nint r), r);

        public Tensor sub(Scalar target) => Wrap(lb_sub_scalar(handle, target.Value, out nint r), r);

        public Tensor sub_(Tensor target) => Self(lb_sub_(handle, target.handle));

        public Tensor sub_(Scalar target) => Self(lb_sub_scalar_(handle, target.Value));

        public Tensor div(Tensor target, RoundingMode rounding_mode = RoundingMode.None) =>
            Wrap(lb_div(handle, target.handle, (int)rounding_mode, out nint r), r);

        public Tensor div(Scalar target, RoundingMode rounding_mode = RoundingMode.None) =>
            Wrap(lb_div_scalar(handle, target.Value, (int)rounding_mode, out nint r), r);

        public Tensor div_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) => Self(lb_div_(handle, target.handle, (int)rounding_mode));

        public Tensor div_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) => Self(lb_div_scalar_(handle, target.Value, (int)rounding_mode));

        public Tensor addcmul(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Wrap(lb_addcmul(handle, tensor1.handle, tensor2.handle, value.Value, out nint r), r);

        public Tensor addcmul_(Tensor tensor1, Tensor tensor2, Scalar value) => Self(lb_addcmul_(handle, tensor1.handle, tensor2.handle, value.Value));

        public Tensor addcdiv(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Wrap(lb_addcdiv(handle, tensor1.handle, tensor2.handle, value.Value, out nint r), r);

        public Tensor addcdiv(Tensor tensor1, Tensor tensor2) => addcdiv(tensor1, tensor2, 1);

        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2, Scalar value) => Self(lb_addcdiv_(handle, tensor1.handle, tensor2.handle, value.Value));

        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2) => addcdiv_(tensor1, tensor2, 1);

        public Tensor lerp(Tensor end, Tensor weight) => Wrap(lb_lerp(handle, end.handle, weight.handle, out nint r), r);

        public Tensor lerp_(Tensor end, Tensor weight) => Self(lb_lerp_(handle, end.handle, weight.handle));

        public Tensor fill_(Scalar value) => Self(lb_fill_(handle, value.Value));

        /// <summary>Between the bounds; a bound that is null does not bind.</summary>
        public unsafe Tensor clamp(Scalar min = null, Scalar max = null)
        {
            Number low = min is null ? default : min.Value, high = max is null ? default : max.Value;
            return Wrap(lb_clamp(handle, min is null ? null : &low, max is null ? null : &high, out nint r), r);
        }

        public unsafe Tensor clamp_(Scalar min = null, Scalar max = null)
        {
            Number low = min is null ? default : min.Value, high = max is null ? default : max.Value;
            return Self(lb_clamp_(handle, min is null ? null : &low, max is null ? null : &high));
        }

        public Tensor clamp_min(Scalar min) => clamp(min, null);

        public Tensor clamp_max(Scalar max) => clamp(null, max);

        public Tensor clamp_min_(Scalar min) => clamp_(min, null);

        public Tensor clamp_max_(Scalar max) => clamp_(null, max);

        public unsafe Tensor nan_to_num(double nan = 0, double? posinf = null, double? neginf = null)
        {
            double high = posinf ?? 0, low = neginf ?? 0;
            return Wrap(lb_nan_to_num(handle, nan, posinf is null ? null : &high, neginf is null ? null : &low, out nint r), r);
        }

        public Tensor maximum(Tensor other) => Wrap(lb_maximum(handle, other.handle, out nint r), r);

        public Tensor minimum(Tensor other) => Wrap(lb_minimum(handle, other.handle, out nint r), r);

        public Tensor max(Tensor other) => maximum(other);

        public Tensor min(Tensor other) => minimum(other);

        /// <summary>This tensor's elements where the condition holds, the other's elsewhere.</summary>
        public Tensor where(Tensor condition, Tensor y) => Wrap(lb_where(condition.handle, handle, y.handle, out nint r), r);

        public Tensor masked_fill(Tensor mask, Scalar value) => Wrap(lb_masked_fill(handle, mask.handle, value.Value, out nint r), r);

        public Tensor masked_fill_(Tensor mask, Scalar value) => Self(lb_masked_fill_(handle, mask.handle, value.Value));

        public Tensor isclose(Tensor other, double rtol = 1e-05, double atol = 1e-08, bool nanEqual = false) =>
            Wrap(lb_isclose(handle, other.handle, rtol, atol, nanEqual ? 1 : 0, out nint r), r);

        public bool allclose(Tensor target, double rtol = 1e-05, double atol = 1e-08, bool equal_nan = false)
        {
            Check(lb_allclose(handle, target.handle, rtol, atol, equal_nan ? 1 : 0, out int result));
            return result != 0;
        }

        /// <summary>A one-element bool tensor: the same shape and the same elements.</summary>
        public Tensor equal(Tensor target) => tensor(Equals(target));
    }

    public static Tensor mul(Tensor left, Tensor right) => left.mul(right);

    public static Tensor mul(Tensor left, Scalar right) => left.mul(right);

    public static Tensor sub(Tensor left, Tensor right) => left.sub(right);

    public static Tensor sub(Tensor left, Scalar right) => left.sub(right);

    public static Tensor add(Tensor left, Tensor right) => left.add(right);

    public static Tensor add(Tensor left, Scalar right) => left.add(right);

    public static Tensor add(Tensor left, Tensor right, Scalar alpha) => left.add(right, alpha);

    public static Tensor add(Tensor left, Scalar right, Scalar alpha) => left.add(right, alpha);

    public static Tensor div(Tensor left, Tensor right, RoundingMode rounding_mode = RoundingMode.None) => left.div(right, rounding_mode);

    public static Tensor div(Tensor left, Scalar right, RoundingMode rounding_mode = RoundingMode.None) => left.div(right, rounding_mode);

    public static Tensor pow(Tensor left, Tensor exponent) => left.pow(exponent);

    public static Tensor pow(Tensor left, Scalar exponent) => left.pow(exponent);

    public static Tensor maximum(Tensor input, Tensor other) => input.maximum(other);

    public static Tensor minimum(Tensor input, Tensor other) => input.minimum(other);

    public static Tensor max(Tensor input, Tensor other) => input.maximum(other);

    public static Tensor min(Tensor input, Tensor other) => input.minimum(other);

    public static Tensor where(Tensor condition, Tensor x, Tensor y) => x.where(condition, y);

    public static Tensor clamp(Tensor input, Scalar min = null, Scalar max = null) => input.clamp(min, max);

    public static Tensor lerp(Tensor input, Tensor end, Tensor weight) => input.lerp(end, weight);

    public static bool allclose(Tensor tensor, Tensor target, double rtol = 1e-05, double atol = 1e-08, bool equal_nan = false) =>
        tensor.allclose(target, rtol, atol, equal_nan);

    public static Tensor isclose(Tensor tensor, Tensor other, double rtol = 1e-05, double atol = 1e-08, bool nanEqual = false) =>
        tensor.isclose(other, rtol, atol, nanEqual);
}
