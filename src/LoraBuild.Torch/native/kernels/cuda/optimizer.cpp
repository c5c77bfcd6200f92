// The fused AdamW over all tensors of a device.
#include "cuda_kernels.h"

#include <c10/core/DeviceGuard.h>

#include <cmath>

namespace {

// As CudaAdamWStep in C#.
struct Step {
    double beta1;
    double beta2;
    double epsilon;
    double gradient_scale;
    int64_t step;  // counted from 1
};

void check_state(const at::Tensor& state, const at::Tensor& parameter, const char* name) {
    TORCH_CHECK(state.scalar_type() == at::kFloat && state.device() == parameter.device() && state.is_contiguous() && state.numel() == parameter.numel(), "AdamW: ", name, " must be fp32 like its parameter ",
                parameter.sizes(), ", got ", state.scalar_type(), " ", state.sizes());
}

}  // namespace

// Arrays of `count`: parameters of one type and device, their gradients (null: 0), the fp32 moments, rates and weight decays.
LB_API int lb_cuda_adamw(const Handle* parameters, const Handle* gradients, const Handle* first, const Handle* second, const double* rates, const double* decays, int64_t count, const Step* step) {
    return guard([&] {
        if (count == 0) return;
        const Step& s = *step;
        const at::Tensor& sample = get(parameters[0]);
        const c10::DeviceGuard on(sample.device());
        TORCH_CHECK(cuda::fits(sample), "AdamW: a parameter of type ", sample.scalar_type(), " on ", sample.device());
        const double correction1 = 1.0 - std::pow(s.beta1, static_cast<double>(s.step));
        const cuda::AdamWNumbers numbers{static_cast<float>(s.gradient_scale), static_cast<float>(1.0 - s.beta1), static_cast<float>(s.beta2), static_cast<float>(1.0 - s.beta2),
                                         static_cast<float>(std::sqrt(1.0 - std::pow(s.beta2, static_cast<double>(s.step)))), static_cast<float>(s.epsilon)};
        std::vector<cuda::AdamWTensor> tensors;
        tensors.reserve(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; i++) {
            const at::Tensor &p = get(parameters[i]), &m = get(first[i]), &v = get(second[i]);
            TORCH_CHECK(p.device() == sample.device() && p.scalar_type() == sample.scalar_type() && p.is_contiguous(), "AdamW: parameters must be dense and of one type and device, got ", p.scalar_type(),
                        " on ", p.device());
            check_state(m, p, "the first moment");
            check_state(v, p, "the second moment");
            const void* gradient = nullptr;
            if (gradients[i] != nullptr) {
                const at::Tensor& g = get(gradients[i]);
                TORCH_CHECK(g.device() == p.device() && g.scalar_type() == p.scalar_type() && g.is_contiguous() && g.numel() == p.numel(), "AdamW: the gradient must be as its parameter ", p.sizes(),
                            ", got ", g.scalar_type(), " ", g.sizes());
                gradient = g.data_ptr();
            }
            tensors.push_back({p.data_ptr(), gradient, m.data_ptr<float>(), v.data_ptr<float>(), p.numel(), static_cast<float>(1.0 - rates[i] * decays[i]), static_cast<float>(rates[i] / correction1)});
        }
        cuda::check(cuda::adamw(cuda::element_of(sample), tensors.data(), count, numbers, cuda::stream_of(sample)), "adamw");
        // The memory was changed behind libtorch's back; a graph that saved a parameter must notice.
        for (int64_t i = 0; i < count; i++) get(parameters[i]).unsafeGetTensorImpl()->bump_version();
    });
}
