// The update of AdamW (Loshchilov and Hutter, 2019) and the clipping of gradients, without a history.
#include "common.h"

#include <ATen/Parallel.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>

#include <cmath>

namespace {

// As AdamWStep in C#.
struct AdamWStep {
    double learning_rate;
    double beta1;
    double beta2;
    double epsilon;
    double weight_decay;
    int64_t step;  // counted from 1
    int32_t is_maximizing;
};

bool is_plain(const at::Tensor& tensor) {
    return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous() && tensor.layout() == at::kStrided;
}

// One pass over the memory, in the order of torch's single-tensor update: decay, first moment by lerp, second moment, quotient.
void update_plain(float* parameter, const float* gradient, float* first, float* second, int64_t count, const AdamWStep& s) {
    const float decay = static_cast<float>(1.0 - s.learning_rate * s.weight_decay);
    const float weight1 = static_cast<float>(1.0 - s.beta1);
    const float beta2 = static_cast<float>(s.beta2);
    const float weight2 = static_cast<float>(1.0 - s.beta2);
    const float step_size = static_cast<float>(s.learning_rate / (1.0 - std::pow(s.beta1, static_cast<double>(s.step))));
    const float correction2 = static_cast<float>(std::sqrt(1.0 - std::pow(s.beta2, static_cast<double>(s.step))));
    const float epsilon = static_cast<float>(s.epsilon);
    const float sign = s.is_maximizing != 0 ? -1.0f : 1.0f;
    at::parallel_for(0, count, 1 << 15, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            const float g = sign * gradient[i];
            const float m = first[i] + weight1 * (g - first[i]);
            const float v = second[i] * beta2 + weight2 * g * g;
            first[i] = m;
            second[i] = v;
            parameter[i] = parameter[i] * decay - step_size * (m / (std::sqrt(v) / correction2 + epsilon));
        }
    });
}

}  // namespace

// `largest` is null without amsgrad. A parameter without a gradient stays as it is.
LB_API int lb_adamw_step(Handle parameter, Handle first, Handle second, Handle largest, const AdamWStep* step) {
    return guard([&] {
        at::NoGradGuard no_grad;
        const AdamWStep& s = *step;
        const at::Tensor& p = get(parameter);
        at::Tensor g = p.grad();
        if (!g.defined()) return;
        const at::Tensor& m = get(first);
        const at::Tensor& v = get(second);
        if (largest == nullptr && is_plain(p) && is_plain(g) && is_plain(m) && is_plain(v)) {
            update_plain(p.data_ptr<float>(), g.data_ptr<float>(), m.data_ptr<float>(), v.data_ptr<float>(), p.numel(), s);
            // The memory was changed behind libtorch's back; a graph that saved the parameter must notice.
            p.unsafeGetTensorImpl()->bump_version();
            return;
        }
        if (s.is_maximizing != 0) g = g.neg();
        if (s.weight_decay != 0) p.mul_(1.0 - s.learning_rate * s.weight_decay);
        m.lerp_(g, 1.0 - s.beta1);
        v.mul_(s.beta2).addcmul_(g, g, 1.0 - s.beta2);
        at::Tensor spread = v;
        if (largest != nullptr) {
            get(largest).copy_(at::maximum(get(largest), v));
            spread = get(largest);
        }
        const double correction1 = 1.0 - std::pow(s.beta1, static_cast<double>(s.step));
        const double correction2 = std::sqrt(1.0 - std::pow(s.beta2, static_cast<double>(s.step)));
        p.addcdiv_(m, spread.sqrt().div_(correction2).add_(s.epsilon), -s.learning_rate / correction1);
    });
}

// Scales all gradients by max_norm / (total + 1e-6) where that is below one; the total norm is that before.
LB_API int lb_clip_grad_norm(const Handle* parameters, int64_t count, double max_norm, double norm_type, double* total) {
    return guard([&] {
        at::NoGradGuard no_grad;
        std::vector<at::Tensor> gradients, norms;
        for (int64_t i = 0; i < count; i++) {
            at::Tensor gradient = get(parameters[i]).grad();
            if (!gradient.defined()) continue;
            norms.push_back(at::linalg_vector_norm(gradient, norm_type).to(at::kDouble));
            gradients.push_back(std::move(gradient));
        }
        *total = 0;
        if (norms.empty()) return;
        at::Device where = norms[0].device();
        for (at::Tensor& norm : norms) norm = norm.to(where);
        *total = at::linalg_vector_norm(at::stack(norms), norm_type).item().toDouble();
        const double scale = max_norm / (*total + 1e-6);
        if (scale < 1.0)
            for (const at::Tensor& gradient : gradients) gradient.mul_(scale);
    });
}

// √(Σ x²) over all of them, in fp32 each and fp64 together; the device is waited for once.
LB_API int lb_total_norm(const Handle* tensors, int64_t count, double* total) {
    return guard([&] {
        at::NoGradGuard no_grad;
        std::vector<at::Tensor> norms;
        for (int64_t i = 0; i < count; i++) norms.push_back(at::linalg_vector_norm(get(tensors[i]), 2, at::OptionalIntArrayRef(), false, at::kFloat));
        *total = norms.empty() ? 0.0 : at::linalg_vector_norm(at::stack(norms).to(at::kDouble), 2).item().toDouble();
    });
}

LB_API int lb_zero_grad(Handle parameter, int set_to_none) {
    return guard([&] {
        at::Tensor& gradient = get(parameter).mutable_grad();
        if (!gradient.defined()) return;
        if (set_to_none != 0) {
            gradient = at::Tensor();
            return;
        }
        gradient.detach_();
        gradient.zero_();
    });
}
