// What belongs to the process or the thread: threads, devices, gradient mode, version.
#include "common.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <string>

LB_API const char* lb_torch_version() { return TORCH_VERSION; }

// How libtorch was compiled; valid for the life of the process.
LB_API const char* lb_torch_config() {
    static const std::string text = [] {
        std::string config;
        guard([&] { config = at::show_config(); });
        return config;
    }();
    return text.c_str();
}

LB_API int lb_get_num_threads() { return at::get_num_threads(); }

LB_API int lb_set_num_threads(int count) {
    return guard([&] { at::set_num_threads(count); });
}

LB_API int lb_get_num_interop_threads() { return at::get_num_interop_threads(); }

LB_API int lb_set_num_interop_threads(int count) {
    return guard([&] { at::set_num_interop_threads(count); });
}

LB_API int lb_cuda_is_available(int* out) {
    return guard([&] { *out = at::globalContext().hasCUDA() && at::detail::getCUDAHooks().hasCUDA() && at::detail::getCUDAHooks().getNumGPUs() > 0 ? 1 : 0; });
}

// Whether this libtorch was built with CUDA, whatever the machine has.
LB_API int lb_cuda_is_built(int* out) {
    return guard([&] { *out = at::detail::getCUDAHooks().hasCUDART() ? 1 : 0; });
}

LB_API int lb_cuda_device_count(int* out) {
    return guard([&] { *out = at::globalContext().hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().getNumGPUs()) : 0; });
}

// Whether our own CUDA kernels were compiled in.
LB_API int lb_cuda_has_kernels() {
#ifdef LB_HAS_CUDA
    return 1;
#else
    return 0;
#endif
}

LB_API int lb_cuda_synchronize(int index) {
    return guard([&] { at::detail::getCUDAHooks().deviceSynchronize(static_cast<at::DeviceIndex>(index)); });
}

LB_API int lb_grad_enabled() { return c10::GradMode::is_enabled() ? 1 : 0; }

LB_API void lb_set_grad_enabled(int enabled) { c10::GradMode::set_enabled(enabled != 0); }

LB_API int lb_inference_mode_enabled() { return c10::InferenceMode::is_enabled() ? 1 : 0; }

LB_API int lb_inference_mode_enter(int enabled, void** out) {
    return guard([&] { *out = new c10::InferenceMode(enabled != 0); });
}

// Guards are freed in the reverse order of their making, on the thread that made them.
LB_API void lb_inference_mode_leave(void* mode) {
    guard([&] { delete static_cast<c10::InferenceMode*>(mode); });
}
