// What libtorch's allocator holds on a device.
#include "cuda_kernels.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>

namespace {

// Whatever the index, of all pools together.
constexpr size_t kAggregate = 0;

}  // namespace

// Bytes in tensors now and at most since the last reset, and bytes taken from the device at most.
LB_API int lb_cuda_memory(int device, int64_t* allocated, int64_t* peak_allocated, int64_t* peak_reserved) {
    return guard([&] {
        const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(device));
        *allocated = stats.allocated_bytes[kAggregate].current;
        *peak_allocated = stats.allocated_bytes[kAggregate].peak;
        *peak_reserved = stats.reserved_bytes[kAggregate].peak;
    });
}

// Bytes that the device has left for whoever asks; makes the device's context where there is none yet.
LB_API int lb_cuda_free_memory(int device, int64_t* out) {
    return guard([&] {
        const c10::cuda::CUDAGuard on(static_cast<c10::DeviceIndex>(device));
        size_t left = 0, all = 0;
        C10_CUDA_CHECK(cudaMemGetInfo(&left, &all));
        *out = static_cast<int64_t>(left);
    });
}

LB_API int lb_cuda_reset_peak(int device) {
    return guard([&] { c10::cuda::CUDACachingAllocator::resetPeakStats(static_cast<c10::DeviceIndex>(device)); });
}
