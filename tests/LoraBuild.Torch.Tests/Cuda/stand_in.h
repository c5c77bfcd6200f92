// Enough of the CUDA runtime to run the kernels' own sources on a processor: the threads of a block are fibres that meet at every barrier.
// It finds wrong arithmetic, wrong indices, barriers that not every thread reaches, and, because the order of threads can be turned round, many missing ones; it shows nothing about speed.
#pragma once

#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __grid_constant__
#define __shared__ static  // one block runs at a time
#define LB_MOST_GRID_ROWS 6  // instead of 65,535: small cases go on in strides of the grid too

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

using cudaError_t = int;
constexpr cudaError_t cudaSuccess = 0;
constexpr int cudaDevAttrComputeCapabilityMajor = 75;
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return "no error"; }
inline cudaError_t cudaDeviceGetAttribute(int* value, int, int) {
    *value = 8;
    return cudaSuccess;
}

namespace stand_in {

struct Fibre {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(64 << 10);
    bool is_done = false;
};

inline ucontext_t scheduler;
inline std::vector<Fibre> fibres(512);
inline unsigned current;
inline bool is_backwards;  // the last thread first: what a missing barrier leaves to chance comes out otherwise
inline float exchanged[512];
inline const std::function<void()>* body;

inline void enter() {
    (*body)();
    fibres[current].is_done = true;
}

inline void wait() { swapcontext(&fibres[current].context, &scheduler); }

inline void prepare(Fibre& fibre) {
    fibre.is_done = false;
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = fibre.stack.data();
    fibre.context.uc_stack.ss_size = fibre.stack.size();
    fibre.context.uc_link = &scheduler;
    makecontext(&fibre.context, enter, 0);
}

// Runs every thread to its next barrier, again and again. A thread that ends while another waits is a fault.
inline void run_block(unsigned threads) {
    for (unsigned i = 0; i < threads; i++) prepare(fibres[i]);
    for (;;) {
        unsigned done = 0;
        for (unsigned i = 0; i < threads; i++) {
            current = is_backwards ? threads - 1 - i : i;
            threadIdx = dim3(current, 0, 0);
            swapcontext(&scheduler, &fibres[current].context);
            done += fibres[current].is_done ? 1 : 0;
        }
        if (done == threads) return;
        if (done != 0) {
            std::fprintf(stderr, "%u of %u threads ended while the others wait at a barrier\n", done, threads);
            std::abort();
        }
    }
}

inline void launch(dim3 grid, dim3 block, const std::function<void()>& kernel) {
    if (block.x > fibres.size() || block.x % 32 != 0 || block.y != 1 || block.z != 1 || grid.x == 0 || grid.y == 0 || grid.y > 65535 || grid.z != 1) {
        std::fprintf(stderr, "a launch of %u × %u blocks of %u threads\n", grid.x, grid.y, block.x);
        std::abort();
    }
    gridDim = grid;
    blockDim = block;
    body = &kernel;
    for (unsigned y = 0; y < grid.y; y++)
        for (unsigned x = 0; x < grid.x; x++) {
            blockIdx = dim3(x, y, 0);
            run_block(block.x);
        }
    body = nullptr;
}

}  // namespace stand_in

#define LB_LAUNCH(kernel, grid, block, stream, ...) ((void)(stream), stand_in::launch(grid, block, [&] { kernel(__VA_ARGS__); }))

// threadIdx is the running thread's; after a wait it must be so again.
inline void __syncthreads() {
    stand_in::wait();
}

inline float __shfl_xor_sync(unsigned, float value, int distance) {
    const unsigned thread = threadIdx.x;
    stand_in::exchanged[thread] = value;
    stand_in::wait();
    const float other = stand_in::exchanged[thread ^ static_cast<unsigned>(distance)];
    stand_in::wait();
    return other;
}

inline float __uint_as_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline uint32_t __float_as_uint(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
