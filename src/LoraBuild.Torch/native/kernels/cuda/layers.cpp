// The C functions of what has a kernel on CUDA devices alone, with their autograd nodes: gate, cross-entropy, masks of dropout.
#include "cuda_kernels.h"

#include <c10/core/DeviceGuard.h>

namespace {

struct CudaGated final : torch::autograd::Function<CudaGated> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up, int64_t kind) {
        Timed timed(Part::activation, false);
        context->save_for_backward({gate, up});
        context->saved_data["kind"] = kind;
        return cuda::gated_forward(gate, up, static_cast<cuda::Gate>(kind));
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        Timed timed(Part::activation, true);
        const variable_list saved = context->get_saved_variables();
        auto [d_gate, d_up] = cuda::gated_backward(gradients[0], saved[0], saved[1], static_cast<cuda::Gate>(context->saved_data["kind"].toInt()));
        return {d_gate, d_up, at::Tensor()};
    }
};

}  // namespace

// Whether the kernels compute with a tensor like this one.
LB_API int lb_cuda_fits(Handle tensor, int* out) {
    return guard([&] { *out = cuda::fits(get(tensor)) ? 1 : 0; });
}

// gate, up [rows, width]; kind as cuda::Gate.
LB_API int lb_cuda_gated(Handle gate, Handle up, int64_t kind, Handle* out) {
    return guard([&] {
        TORCH_CHECK(kind >= 0 && kind <= 2, "gated activation: kind ", kind);
        *out = wrap(CudaGated::apply(get(gate), get(up), kind));
    });
}

// logits [rows, vocabulary] dense, int64 targets [rows], weights fp32 [rows] or null; losses fp32 [rows] are written.
// Outside of the graph: where the gradient is wanted, it takes the logits' place.
LB_API int lb_cuda_cross_entropy(Handle logits, Handle targets, Handle weights, Handle losses, double logit_scale, double softcap, double smoothing, int wants_gradient) {
    return guard([&] {
        Timed timed(Part::loss, false);
        const at::Tensor &z = get(logits), &t = get(targets), &l = get(losses);
        const c10::DeviceGuard on(z.device());
        TORCH_CHECK(z.dim() == 2 && z.is_contiguous(), "cross-entropy: logits must be dense [rows, vocabulary], got ", z.sizes());
        TORCH_CHECK(t.scalar_type() == at::kLong && t.device() == z.device() && t.is_contiguous() && t.numel() == z.size(0), "cross-entropy: one int64 target a row, got ", t.sizes());
        TORCH_CHECK(l.scalar_type() == at::kFloat && l.device() == z.device() && l.is_contiguous() && l.numel() == z.size(0), "cross-entropy: one fp32 loss a row, got ", l.sizes());
        const float* w = nullptr;
        if (weights != nullptr) {
            const at::Tensor& given = get(weights);
            TORCH_CHECK(given.scalar_type() == at::kFloat && given.device() == z.device() && given.is_contiguous() && given.numel() == z.size(0), "cross-entropy: one fp32 weight a row, got ",
                        given.sizes());
            w = given.data_ptr<float>();
        }
        const cuda::CrossEntropy options{static_cast<float>(logit_scale), static_cast<float>(softcap), static_cast<float>(smoothing), wants_gradient != 0};
        cuda::check(cuda::cross_entropy(cuda::element_of(z), z.data_ptr(), t.data_ptr<int64_t>(), w, l.data_ptr<float>(), z.size(0), z.size(1), options, cuda::stream_of(z)), "cross_entropy");
    });
}

// mask dense: 1 / keep with probability keep, else 0, decided by the seed and the place (first for the first element) alone.
LB_API int lb_cuda_dropout_mask(Handle mask, int64_t seed, int64_t first, double keep) {
    return guard([&] {
        const at::Tensor& m = get(mask);
        TORCH_CHECK(keep > 0 && keep <= 1 && first >= 0 && m.is_contiguous(), "dropout: keeps ", keep, " from ", first, " on in a tensor of strides ", m.strides());
        const c10::DeviceGuard on(m.device());
        cuda::check(cuda::dropout_mask(cuda::element_of(m), m.data_ptr(), m.numel(), static_cast<uint64_t>(seed), first, keep, cuda::stream_of(m)), "dropout");
    });
}
