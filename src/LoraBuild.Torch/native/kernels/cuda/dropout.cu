// Masks of dropout on the device from a counter: the same seed and place give the same element, whatever the grid, and the one that a processor has there.
#include "device.cuh"

#include "../random_place.h"

namespace lorabuild::cuda {

namespace {

template <typename T>
__global__ void dropout_draw(T* mask, int64_t count, uint64_t seed, int64_t first, uint32_t threshold, float factor) {
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const auto place = static_cast<uint64_t>(first + i);
        const auto half = static_cast<uint32_t>(split_mix(seed, place >> 1) >> ((place & 1) * 32));
        mask[i] = from_float<T>(keep_bits(half) < threshold ? factor : 0.0f);
    }
}

}  // namespace

Status dropout_mask(Element type, void* mask, int64_t count, uint64_t seed, int64_t first, double keep, Stream stream) {
    if (count == 0) return 0;
    const uint32_t threshold = keep_threshold(keep);
    const auto factor = static_cast<float>(1.0 / keep);
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        LB_LAUNCH((dropout_draw<T>), dim3(blocks_for(count, kThreads)), dim3(kThreads), stream, static_cast<T*>(mask), count, seed, first, threshold, factor);
    });
}

}  // namespace lorabuild::cuda
