// The rotary embedding on the device: component i turns with component i + half, the components behind both stay.
#include "device.cuh"

namespace lorabuild::cuda {

namespace {

template <typename T>
__global__ void rope_turn(const T* x, int64_t row_stride, const T* cos, const T* sin, T* y, int64_t tokens, int64_t heads, int64_t head_width, int64_t half, float sign) {
    const int64_t count = tokens * heads * half;
    for (int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < count; at += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const int64_t i = at % half, head = at / half % heads, token = at / half / heads;
        const T* in = x + token * row_stride + head * head_width;
        T* out = y + (token * heads + head) * head_width;
        const float c = to_float(cos[token * half + i]), s = sign * to_float(sin[token * half + i]);
        const float first = to_float(in[i]), second = to_float(in[i + half]);
        out[i] = from_float<T>(first * c - second * s);
        out[i + half] = from_float<T>(second * c + first * s);
        for (int64_t rest = 2 * half + i; rest < head_width; rest += half) out[rest] = in[rest];
    }
}

}  // namespace

Status rope(Element type, const void* x, int64_t row_stride, const void* cos, const void* sin, void* y, int64_t tokens, int64_t heads, int64_t head_width, int64_t half, bool inverse, Stream stream) {
    if (tokens * heads * half == 0) return 0;
    const dim3 grid(blocks_for(tokens * heads * half, kThreads));
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        LB_LAUNCH((rope_turn<T>), grid, dim3(kThreads), stream, static_cast<const T*>(x), row_stride, static_cast<const T*>(cos), static_cast<const T*>(sin), static_cast<T*>(y), tokens,
                  heads, head_width, half, inverse ? -1.0f : 1.0f);
    });
}

}  // namespace lorabuild::cuda
