// Four-bit weights to numbers on the device, a rectangle at a time: value of the code × scale of its block, rounded once.
#include "device.cuh"

namespace lorabuild::cuda {

namespace {

// x / divisor, by a shift where the divisor is a power of two: a 64-bit division costs as much as decoding ten numbers.
struct Divisor {
    int64_t value;
    int shift;  // −1: no power of two
};

Divisor divisor_of(int64_t value) {
    int shift = 0;
    while ((int64_t{1} << shift) < value) shift++;
    return Divisor{value, (int64_t{1} << shift) == value ? shift : -1};
}

__device__ inline int64_t divided(int64_t x, const Divisor& by) { return by.shift >= 0 ? x >> by.shift : x / by.value; }

__device__ inline float scale_of(const BlockScales& scales, int64_t block, const Divisor& group) {
    if (scales.plain != nullptr) return scales.plain[block];
    // Product and sum are rounded one after the other, as where the scales are decoded on the processor.
    return __fadd_rn(__fmul_rn(scales.map[scales.codes[block]], scales.absmax[divided(block, group)]), scales.offset);
}

// N elements a thread, all of one block and of whole bytes that are read at once; or one element a thread, wherever it stands. A block row of the grid a row.
template <typename T, int N>
__global__ void four_bit_rectangle(const uint8_t* packed, BlockScales scales, const __grid_constant__ FourBitTable table, Rectangle tile, Divisor block, Divisor group, T* y) {
    __shared__ float values[16];
    if (threadIdx.x < 16) values[threadIdx.x] = table.values[threadIdx.x];
    __syncthreads();
    const int64_t column = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
    if (column >= tile.column_count) return;
    for (int64_t row = blockIdx.y; row < tile.row_count; row += gridDim.y) {
        const int64_t element = (tile.row + row) * tile.columns + tile.column + column;
        const float scale = scale_of(scales, divided(element, block), group);
        Pack<T, N> result;
        if constexpr (N == 1) {
            const uint8_t two = packed[element / 2];
            result.values[0] = from_float<T>(values[element % 2 == 0 ? two >> 4 : two & 15] * scale);
        } else {
            const Pack<uint8_t, N / 2> twos = load<uint8_t, N / 2>(packed + element / 2);
            LB_UNROLL
            for (int k = 0; k < N / 2; k++) {
                result.values[2 * k] = from_float<T>(values[twos.values[k] >> 4] * scale);
                result.values[2 * k + 1] = from_float<T>(values[twos.values[k] & 15] * scale);
            }
        }
        store<T, N>(y + row * tile.column_count + column, result);
    }
}

}  // namespace

Status four_bit_decode(Element type, const uint8_t* packed, const BlockScales& scales, const FourBitTable& table, int64_t block, const Rectangle& tile, void* y, Stream stream) {
    if (tile.row_count * tile.column_count == 0) return 0;
    const Divisor by_block = divisor_of(block), by_group = divisor_of(scales.plain == nullptr ? scales.group : 1);
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        constexpr int N = 16 / sizeof(T);
        T* out = static_cast<T*>(y);
        if (is_packed(tile, N) && block % N == 0 && is_aligned(y) && is_aligned(packed)) {
            LB_LAUNCH((four_bit_rectangle<T, N>), grid_of(tile, N), dim3(kThreads), stream, packed, scales, table, tile, by_block, by_group, out);
        } else {
            LB_LAUNCH((four_bit_rectangle<T, 1>), grid_of(tile, 1), dim3(kThreads), stream, packed, scales, table, tile, by_block, by_group, out);
        }
    });
}

}  // namespace lorabuild::cuda
