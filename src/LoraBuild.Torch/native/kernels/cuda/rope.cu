// The rotary embedding on the device: component i turns with component i + half, the components behind both stay.
#include "device.cuh"

namespace lorabuild::cuda {

namespace {

// A block a token, whose heads all turn by the same angles; N components a thread.
template <typename T, int N>
__global__ void rope_turn(const T* x, int64_t row_stride, const T* cos, const T* sin, T* y, int heads, int head_width, int half, float sign) {
    const int64_t token = blockIdx.x;
    const T* row = x + token * row_stride;
    T* turned = y + token * heads * head_width;
    const T* cosines = cos + token * half;
    const T* sines = sin + token * half;
    const int packs = half / N;
    for (int at = static_cast<int>(threadIdx.x); at < heads * packs; at += static_cast<int>(blockDim.x)) {
        const int i = at % packs * N, place = at / packs * head_width + i;
        const Pack<T, N> a = load<T, N>(row + place), b = load<T, N>(row + place + half), c = load<T, N>(cosines + i), s = load<T, N>(sines + i);
        Pack<T, N> first, second;
        LB_UNROLL
        for (int k = 0; k < N; k++) {
            const float u = to_float(a.values[k]), v = to_float(b.values[k]), cosine = to_float(c.values[k]), sine = sign * to_float(s.values[k]);
            first.values[k] = from_float<T>(u * cosine - v * sine);
            second.values[k] = from_float<T>(v * cosine + u * sine);
        }
        store<T, N>(turned + place, first);
        store<T, N>(turned + place + half, second);
    }
    const int rest = head_width - 2 * half;
    for (int at = static_cast<int>(threadIdx.x); at < heads * rest; at += static_cast<int>(blockDim.x)) {
        const int place = at / rest * head_width + 2 * half + at % rest;
        turned[place] = row[place];
    }
}

}  // namespace

Status rope(Element type, const void* x, int64_t row_stride, const void* cos, const void* sin, void* y, int64_t tokens, int64_t heads, int64_t head_width, int64_t half, bool inverse, Stream stream) {
    if (tokens * heads * head_width == 0) return 0;
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        constexpr int N = 16 / sizeof(T);
        const T *in = static_cast<const T*>(x), *c = static_cast<const T*>(cos), *s = static_cast<const T*>(sin);
        T* out = static_cast<T*>(y);
        const dim3 grid(static_cast<unsigned>(tokens));
        const float sign = inverse ? -1.0f : 1.0f;
        const int h = static_cast<int>(heads), w = static_cast<int>(head_width), n = static_cast<int>(half);
        if (half % N == 0 && head_width % N == 0 && row_stride % N == 0 && is_aligned(x) && is_aligned(cos) && is_aligned(sin) && is_aligned(y)) {
            LB_LAUNCH((rope_turn<T, N>), grid, dim3(threads_for(heads * half / N)), stream, in, row_stride, c, s, out, h, w, n, sign);
        } else {
            LB_LAUNCH((rope_turn<T, 1>), grid, dim3(threads_for(heads * half)), stream, in, row_stride, c, s, out, h, w, n, sign);
        }
    });
}

}  // namespace lorabuild::cuda
