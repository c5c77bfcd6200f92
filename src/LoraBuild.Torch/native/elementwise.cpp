// Operations that work element by element, with broadcasting.
#include "common.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/where.h>

#define LB_UNARY(name) \
    LB_API int lb_##name(Handle a, Handle* out) { return guard([&] { *out = wrap(get(a).name()); }); }
#define LB_UNARY_INPLACE(name) \
    LB_API int lb_##name##_(Handle a) { return guard([&] { get(a).name##_(); }); }
#define LB_UNARY_BOTH(name) LB_UNARY(name) LB_UNARY_INPLACE(name)

LB_UNARY_BOTH(abs)
LB_UNARY_BOTH(ceil)
LB_UNARY_BOTH(cos)
LB_UNARY_BOTH(erf)
LB_UNARY_BOTH(exp)
LB_UNARY_BOTH(expm1)
LB_UNARY_BOTH(floor)
LB_UNARY_BOTH(log)
LB_UNARY_BOTH(log10)
LB_UNARY_BOTH(log1p)
LB_UNARY_BOTH(log2)
LB_UNARY_BOTH(logical_not)
LB_UNARY_BOTH(neg)
LB_UNARY_BOTH(reciprocal)
LB_UNARY_BOTH(relu)
LB_UNARY_BOTH(round)
LB_UNARY_BOTH(rsqrt)
LB_UNARY_BOTH(sigmoid)
LB_UNARY_BOTH(sign)
LB_UNARY_BOTH(sin)
LB_UNARY_BOTH(sqrt)
LB_UNARY_BOTH(tanh)
LB_UNARY_BOTH(trunc)
LB_UNARY_INPLACE(zero)
LB_UNARY(bitwise_not)
LB_UNARY(isinf)
LB_UNARY(isnan)
LB_UNARY(square)

LB_API int lb_isfinite(Handle a, Handle* out) {
    return guard([&] { *out = wrap(at::isfinite(get(a))); });
}

#define LB_BINARY(name) \
    LB_API int lb_##name(Handle a, Handle b, Handle* out) { return guard([&] { *out = wrap(get(a).name(get(b))); }); }
#define LB_BINARY_INPLACE(name) \
    LB_API int lb_##name##_(Handle a, Handle b) { return guard([&] { get(a).name##_(get(b)); }); }
#define LB_SCALAR(name) \
    LB_API int lb_##name##_scalar(Handle a, Number b, Handle* out) { return guard([&] { *out = wrap(get(a).name(scalar(b))); }); }
#define LB_SCALAR_INPLACE(name) \
    LB_API int lb_##name##_scalar_(Handle a, Number b) { return guard([&] { get(a).name##_(scalar(b)); }); }
#define LB_BINARY_ALL(name) LB_BINARY(name) LB_BINARY_INPLACE(name) LB_SCALAR(name) LB_SCALAR_INPLACE(name)

LB_BINARY_ALL(mul)
LB_BINARY_ALL(pow)
LB_BINARY_ALL(remainder)
LB_BINARY_ALL(eq)
LB_BINARY_ALL(ne)
LB_BINARY_ALL(lt)
LB_BINARY_ALL(le)
LB_BINARY_ALL(gt)
LB_BINARY_ALL(ge)
LB_BINARY_ALL(floor_divide)
LB_BINARY(maximum)
LB_BINARY(minimum)
LB_BINARY(bitwise_and)
LB_BINARY(bitwise_or)
LB_BINARY(bitwise_xor)
LB_BINARY(logical_and)
LB_BINARY_INPLACE(logical_and)
LB_BINARY(logical_or)
LB_BINARY_INPLACE(logical_or)
LB_BINARY(logical_xor)

LB_API int lb_add(Handle a, Handle b, Number alpha, Handle* out) {
    return guard([&] { *out = wrap(get(a).add(get(b), scalar(alpha))); });
}

LB_API int lb_add_(Handle a, Handle b, Number alpha) {
    return guard([&] { get(a).add_(get(b), scalar(alpha)); });
}

LB_API int lb_add_scalar(Handle a, Number b, Number alpha, Handle* out) {
    return guard([&] { *out = wrap(get(a).add(scalar(b), scalar(alpha))); });
}

LB_API int lb_add_scalar_(Handle a, Number b, Number alpha) {
    return guard([&] { get(a).add_(scalar(b), scalar(alpha)); });
}

LB_API int lb_sub(Handle a, Handle b, Handle* out) {
    return guard([&] { *out = wrap(get(a).sub(get(b))); });
}

LB_API int lb_sub_(Handle a, Handle b) {
    return guard([&] { get(a).sub_(get(b)); });
}

LB_API int lb_sub_scalar(Handle a, Number b, Handle* out) {
    return guard([&] { *out = wrap(get(a).sub(scalar(b))); });
}

LB_API int lb_sub_scalar_(Handle a, Number b) {
    return guard([&] { get(a).sub_(scalar(b)); });
}

// b - a
LB_API int lb_rsub_scalar(Handle a, Number b, Handle* out) {
    return guard([&] { *out = wrap(get(a).neg().add_(scalar(b))); });
}

// b / a
LB_API int lb_rdiv_scalar(Handle a, Number b, Handle* out) {
    return guard([&] { *out = wrap(get(a).reciprocal().mul(scalar(b))); });
}

namespace {
// As in TorchSharp's enumeration: 0 true division, 1 towards zero, 2 down.
Optional<c10::string_view> rounding(int mode) {
    if (mode == 1) return c10::string_view("trunc");
    if (mode == 2) return c10::string_view("floor");
    return {};
}
}  // namespace

LB_API int lb_div(Handle a, Handle b, int mode, Handle* out) {
    return guard([&] { *out = wrap(get(a).div(get(b), rounding(mode))); });
}

LB_API int lb_div_(Handle a, Handle b, int mode) {
    return guard([&] { get(a).div_(get(b), rounding(mode)); });
}

LB_API int lb_div_scalar(Handle a, Number b, int mode, Handle* out) {
    return guard([&] { *out = wrap(get(a).div(scalar(b), rounding(mode))); });
}

LB_API int lb_div_scalar_(Handle a, Number b, int mode) {
    return guard([&] { get(a).div_(scalar(b), rounding(mode)); });
}

LB_API int lb_addcmul(Handle a, Handle b, Handle c, Number value, Handle* out) {
    return guard([&] { *out = wrap(get(a).addcmul(get(b), get(c), scalar(value))); });
}

LB_API int lb_addcmul_(Handle a, Handle b, Handle c, Number value) {
    return guard([&] { get(a).addcmul_(get(b), get(c), scalar(value)); });
}

LB_API int lb_addcdiv(Handle a, Handle b, Handle c, Number value, Handle* out) {
    return guard([&] { *out = wrap(get(a).addcdiv(get(b), get(c), scalar(value))); });
}

LB_API int lb_addcdiv_(Handle a, Handle b, Handle c, Number value) {
    return guard([&] { get(a).addcdiv_(get(b), get(c), scalar(value)); });
}

LB_API int lb_lerp(Handle a, Handle end, Handle weight, Handle* out) {
    return guard([&] { *out = wrap(get(a).lerp(get(end), get(weight))); });
}

LB_API int lb_lerp_(Handle a, Handle end, Handle weight) {
    return guard([&] { get(a).lerp_(get(end), get(weight)); });
}

LB_API int lb_fill_(Handle a, Number value) {
    return guard([&] { get(a).fill_(scalar(value)); });
}

// Either bound may be absent (null).
LB_API int lb_clamp(Handle a, const Number* minimum, const Number* maximum, Handle* out) {
    return guard([&] {
        Optional<at::Scalar> low, high;
        if (minimum != nullptr) low = scalar(*minimum);
        if (maximum != nullptr) high = scalar(*maximum);
        *out = wrap(get(a).clamp(low, high));
    });
}

LB_API int lb_clamp_(Handle a, const Number* minimum, const Number* maximum) {
    return guard([&] {
        Optional<at::Scalar> low, high;
        if (minimum != nullptr) low = scalar(*minimum);
        if (maximum != nullptr) high = scalar(*maximum);
        get(a).clamp_(low, high);
    });
}

LB_API int lb_where(Handle condition, Handle a, Handle b, Handle* out) {
    return guard([&] { *out = wrap(at::where(get(condition), get(a), get(b))); });
}

LB_API int lb_masked_fill(Handle a, Handle mask, Number value, Handle* out) {
    return guard([&] { *out = wrap(get(a).masked_fill(get(mask), scalar(value))); });
}

LB_API int lb_masked_fill_(Handle a, Handle mask, Number value) {
    return guard([&] { get(a).masked_fill_(get(mask), scalar(value)); });
}

LB_API int lb_nan_to_num(Handle a, double nan, const double* positive, const double* negative, Handle* out) {
    return guard([&] {
        Optional<double> high, low;
        if (positive != nullptr) high = *positive;
        if (negative != nullptr) low = *negative;
        *out = wrap(get(a).nan_to_num(nan, high, low));
    });
}
