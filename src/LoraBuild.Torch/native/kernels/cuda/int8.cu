// int8 weights to numbers on the device, a rectangle at a time: code · scale of the row / 127, rounded as where they are decoded on the processor.
#include "device.cuh"

namespace lorabuild::cuda {

namespace {

constexpr float kOneOver127 = 1.0f / 127.0f;

template <typename T, int N>
__global__ void int8_rectangle(const int8_t* codes, const float* scales, Rectangle tile, T* y) {
    const int64_t column = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
    if (column >= tile.column_count) return;
    for (int64_t row = blockIdx.y; row < tile.row_count; row += gridDim.y) {
        const float scale = scales[tile.row + row];
        const Pack<int8_t, N> read = load<int8_t, N>(codes + (tile.row + row) * tile.columns + tile.column + column);
        Pack<T, N> result;
        LB_UNROLL
        for (int k = 0; k < N; k++) result.values[k] = from_float<T>(static_cast<float>(read.values[k]) * scale * kOneOver127);
        store<T, N>(y + row * tile.column_count + column, result);
    }
}

}  // namespace

Status int8_decode(Element type, const int8_t* codes, const float* scales, const Rectangle& tile, void* y, Stream stream) {
    if (tile.row_count * tile.column_count == 0) return 0;
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        constexpr int N = 16 / sizeof(T);
        T* out = static_cast<T*>(y);
        if (is_packed(tile, N) && is_aligned(y) && is_aligned(codes)) {
            LB_LAUNCH((int8_rectangle<T, N>), grid_of(tile, N), dim3(kThreads), stream, codes, scales, tile, out);
        } else {
            LB_LAUNCH((int8_rectangle<T, 1>), grid_of(tile, 1), dim3(kThreads), stream, codes, scales, tile, out);
        }
    });
}

}  // namespace lorabuild::cuda
