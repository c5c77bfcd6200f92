// Functions of a number for kernels that are LB_CLONES: they are inlined into loops and vectorised there, which the C library's are not.
#pragma once

#include "kernel.h"

namespace lorabuild {

// eˣ within 2 units in the last place; below −87.3 it is 0 (also of −∞), above 88 it stays at e⁸⁸.
LB_INLINE float exponential(float x) {
    x = x < -88.0f ? -88.0f : x;
    x = x > 88.0f ? 88.0f : x;
    constexpr float shift = 12582912.0f;  // 1.5 · 2²³: adding it rounds to a whole number, which is then in the low bits
    const float shifted = x * 1.44269504f + shift;
    const float n = shifted - shift;
    // ln 2 in two parts: the first has few bits, so that n times it is exact.
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    // Taylor's series to r⁷ on |r| ≤ ½ ln 2: its error is 2⁻²⁸.
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const int32_t exponent = (static_cast<int32_t>(n) + 127) << 23;
    return p * __builtin_bit_cast(float, exponent);
}

// tanh x. Near 0 a series, because 1 − 2 / (e²ˣ + 1) has lost its digits there.
LB_INLINE float hyperbolic_tangent(float x) {
    const float magnitude = x < 0 ? -x : x;
    const float far = 1.0f - 2.0f / (exponential(2.0f * magnitude) + 1.0f);
    const float s = x * x;
    // x − x³/3 + 2x⁵/15 − 17x⁷/315 + 62x⁹/2835 − …: at |x| = 0.3 what is left out is below 2⁻²⁷ of x.
    float p = -1382.0f / 155925.0f;
    p = p * s + 62.0f / 2835.0f;
    p = p * s - 17.0f / 315.0f;
    p = p * s + 2.0f / 15.0f;
    p = p * s - 1.0f / 3.0f;
    const float near = x + x * s * p;
    const float signed_far = x < 0 ? -far : far;
    return magnitude < 0.3f ? near : signed_far;
}

// The error function, absolute error 1e-7: a fit of erf(x)/x in x² up to 1, and of erfc(x)·exp(x²) in 1/(1 + x/2) beyond.
LB_INLINE float error_function(float x) {
    const float a = x < 0 ? -x : x;
    const float s = x * x;
    float near = -9.6735904e-6f;
    near = near * s + 1.1268254e-4f;
    near = near * s - 8.4843964e-4f;
    near = near * s + 5.2210535e-3f;
    near = near * s - 2.6865438e-2f;
    near = near * s + 1.1283783e-1f;
    near = near * s - 3.7612638e-1f;
    near = near * s + 1.1283792f;
    const float t = 1.0f / (1.0f + 0.5f * a);
    float q = -5.3540617e-2f;
    q = q * t - 5.7338733e-2f;
    q = q * t + 4.0383837e-1f;
    q = q * t + 1.0126825e-1f;
    q = q * t + 3.3084068e-1f;
    q = q * t + 2.7361816e-1f;
    q = q * t + 6.0640875e-4f;
    const float far = 1.0f - q * exponential(-s);
    const float limited = a > 4.0f ? 1.0f : far;
    const float magnitude = a < 1.0f ? a * near : limited;
    return x < 0 ? -magnitude : magnitude;
}

}  // namespace lorabuild
