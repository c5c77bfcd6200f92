// What the kernels share on the device: bf16, packs of sixteen bytes, sums over a block, and the launch.
#pragma once

#include "launch.h"

// The same sources are compiled for the processor by the tests, which bring their own stand-in for the CUDA runtime.
#ifdef LB_CUDA_STAND_IN
#include LB_CUDA_STAND_IN
#else
#include <cuda_runtime.h>
#define LB_LAUNCH(kernel, grid, block, stream, ...) kernel<<<grid, block, 0, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#endif

#include <cstdint>

// The elements of a pack are handled side by side, in registers.
#ifdef LB_CUDA_STAND_IN
#define LB_UNROLL
#else
#define LB_UNROLL _Pragma("unroll")
#endif

namespace lorabuild::cuda {

constexpr int kWarp = 32;
constexpr int kMostThreads = 512;
constexpr int kThreads = 256;  // of a block in the kernels that go element by element

struct Bf16 {
    uint16_t bits;
};

__device__ inline float to_float(float value) { return value; }

__device__ inline float to_float(Bf16 value) { return __uint_as_float(static_cast<uint32_t>(value.bits) << 16); }

template <typename T>
__device__ T from_float(float value);

template <>
__device__ inline float from_float<float>(float value) {
    return value;
}

// To the nearest, ties to even; not-a-number stays one.
template <>
__device__ inline Bf16 from_float<Bf16>(float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    Bf16 result;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
#else
    const uint32_t bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return Bf16{static_cast<uint16_t>(0x7fc0u)};
    return Bf16{static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
#endif
}

// What a value becomes when it is stored as T.
template <typename T>
__device__ inline float rounded(float value) {
    return to_float(from_float<T>(value));
}

// N elements that are read and written at once.
template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
    T values[N];
};

template <typename T, int N>
__device__ inline Pack<T, N> load(const T* from) {
    return *reinterpret_cast<const Pack<T, N>*>(from);
}

template <typename T, int N>
__device__ inline void store(T* to, const Pack<T, N>& pack) {
    *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

struct Add {
    __device__ float operator()(float a, float b) const { return a + b; }
};

// Every thread of the block gets the result; all of them must call it. The order is fixed: the same bits in every run.
template <typename Operation>
__device__ inline float reduce(float value, Operation operation, float identity) {
    __shared__ float of_warps[kWarp];
    for (int distance = kWarp / 2; distance > 0; distance /= 2) value = operation(value, __shfl_xor_sync(0xffffffffu, value, distance));
    const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
    __syncthreads();  // what an earlier call left here has been read
    if (lane == 0) of_warps[warp] = value;
    __syncthreads();
    value = lane < static_cast<int>(blockDim.x) / kWarp ? of_warps[lane] : identity;
    for (int distance = kWarp / 2; distance > 0; distance /= 2) value = operation(value, __shfl_xor_sync(0xffffffffu, value, distance));
    return value;
}

inline bool is_aligned(const void* memory) { return reinterpret_cast<uintptr_t>(memory) % 16 == 0; }

// Whole warps, enough for `items` where that is below the limit.
inline unsigned threads_for(int64_t items) {
    const int64_t warps = (items + kWarp - 1) / kWarp;
    return static_cast<unsigned>(kWarp * (warps < 1 ? 1 : warps > kMostThreads / kWarp ? kMostThreads / kWarp : warps));
}

inline unsigned all_blocks_for(int64_t items, int threads) {
    const int64_t blocks = (items + threads - 1) / threads;
    return static_cast<unsigned>(blocks < 1 ? 1 : blocks);
}

// Blocks of a loop over `items` in strides of the grid.
inline unsigned blocks_for(int64_t items, int threads) {
    const unsigned blocks = all_blocks_for(items, threads);
    return blocks > 16384 ? 16384 : blocks;
}

// The most rows of blocks that a grid may have; a kernel goes on in strides of them.
#ifndef LB_MOST_GRID_ROWS
#define LB_MOST_GRID_ROWS 65535
#endif
constexpr int64_t kMostGridRows = LB_MOST_GRID_ROWS;

// `width` elements of each row, N a thread, a block row of the grid a row.
inline dim3 grid_of_rows(int64_t rows, int64_t width, int N, int threads) {
    return dim3(all_blocks_for(width / N, threads), static_cast<unsigned>(rows < kMostGridRows ? rows : kMostGridRows));
}

inline dim3 grid_of(const Rectangle& tile, int N) { return grid_of_rows(tile.row_count, tile.column_count, N, kThreads); }

// Whether the rows of a rectangle begin and end where N elements are read at once.
inline bool is_packed(const Rectangle& tile, int N) { return tile.columns % N == 0 && tile.column % N == 0 && tile.column_count % N == 0; }

// Calls body with an element of the type.
template <typename F>
Status with_type(Element type, F body) {
    if (type == Element::f32)
        body(float());
    else
        body(Bf16());
    return static_cast<Status>(cudaGetLastError());
}

}  // namespace lorabuild::cuda
