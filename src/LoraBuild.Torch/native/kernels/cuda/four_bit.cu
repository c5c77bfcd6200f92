// Four-bit weights to numbers on the device, a rectangle at a time: value of the code × scale of its block, rounded once.
#include "device.cuh"

namespace lorabuild::cuda {

namespace {

__device__ inline float scale_of(const BlockScales& scales, int64_t block) {
    if (scales.plain != nullptr) return scales.plain[block];
    // Product and sum are rounded one after the other, as where the scales are decoded on the processor.
    return __fadd_rn(__fmul_rn(scales.map[scales.codes[block]], scales.absmax[block / scales.group]), scales.offset);
}

// N elements a thread, all of one block and of whole bytes; or one element a thread, wherever it stands.
template <typename T, int N>
__global__ void four_bit_rectangle(const uint8_t* packed, BlockScales scales, FourBitTable table, FourBitTile tile, T* y) {
    __shared__ float values[16];
    if (threadIdx.x < 16) values[threadIdx.x] = table.values[threadIdx.x];
    __syncthreads();
    const int64_t packs = tile.column_count / N;
    for (int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < tile.row_count * packs; at += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const int64_t row = at / packs, column = at % packs * N;
        const int64_t element = (tile.row + row) * tile.columns + tile.column + column;
        const float scale = scale_of(scales, element / tile.block);
        Pack<T, N> result;
        LB_UNROLL
        for (int k = 0; k < N; k++) {
            const uint8_t two = packed[(element + k) / 2];
            result.values[k] = from_float<T>(values[(element + k) % 2 == 0 ? two >> 4 : two & 15] * scale);
        }
        store<T, N>(y + row * tile.column_count + column, result);
    }
}

}  // namespace

Status four_bit_decode(Element type, const uint8_t* packed, const BlockScales& scales, const FourBitTable& table, const FourBitTile& tile, void* y, Stream stream) {
    const int64_t count = tile.row_count * tile.column_count;
    if (count == 0) return 0;
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        constexpr int N = 16 / sizeof(T);
        T* out = static_cast<T*>(y);
        if (tile.columns % N == 0 && tile.column % N == 0 && tile.column_count % N == 0 && tile.block % N == 0 && is_aligned(y)) {
            LB_LAUNCH((four_bit_rectangle<T, N>), dim3(blocks_for(count / N, kThreads)), dim3(kThreads), stream, packed, scales, table, tile, out);
        } else {
            LB_LAUNCH((four_bit_rectangle<T, 1>), dim3(blocks_for(count, kThreads)), dim3(kThreads), stream, packed, scales, table, tile, out);
        }
    });
}

}  // namespace lorabuild::cuda
