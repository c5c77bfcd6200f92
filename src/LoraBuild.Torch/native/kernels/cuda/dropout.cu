// Masks of dropout on the device from a counter: the same seed and place give the same element, whatever the grid.
#include "device.cuh"

namespace lorabuild::cuda {

namespace {

// SplitMix64 (Steele et al. 2014) of the place, relative to the seed's own place in the sequence.
__device__ inline uint64_t mix(uint64_t seed, uint64_t place) {
    uint64_t z = seed + (place + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

template <typename T>
__global__ void dropout_draw(T* mask, int64_t count, uint64_t seed, int64_t first, uint32_t threshold, float factor) {
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += static_cast<int64_t>(gridDim.x) * blockDim.x)
        mask[i] = from_float<T>(static_cast<uint32_t>(mix(seed, static_cast<uint64_t>(first + i)) >> 40) < threshold ? factor : 0.0f);
}

}  // namespace

Status dropout_mask(Element type, void* mask, int64_t count, uint64_t seed, int64_t first, double keep, Stream stream) {
    if (count == 0) return 0;
    const auto threshold = static_cast<uint32_t>(keep * 16777216.0 + 0.5);  // of 24 bits
    const auto factor = static_cast<float>(1.0 / keep);
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        LB_LAUNCH((dropout_draw<T>), dim3(blocks_for(count, kThreads)), dim3(kThreads), stream, static_cast<T*>(mask), count, seed, first, threshold, factor);
    });
}

}  // namespace lorabuild::cuda
