// Cross-entropy of rows of logits: token losses, and the gradient written over the logits, while a row is in the caches.
#include "tile.h"

#include <ATen/ops/empty.h>

#include <cmath>
#include <limits>

namespace {

// Numbers that are added up in fp32 before the sum goes on in double: a vocabulary is long.
constexpr int64_t kSumBlock = 2048;

struct Rows {
    float* logits;  // [rows, width], replaced by the gradient where that is wanted
    int64_t stride;
    int64_t width;
    const int64_t* targets;
    const float* weights;  // null: 1
    float* losses;
    float scale;
    float cap;  // 0: none
    float smoothing;
    bool has_gradient;
};

// z = cap(scale · x); loss = (1 − ε)(L − z_t) + ε(L − mean z), L = log Σ eᶻ; ∂/∂(scale · x) = w · (softmax − (1 − ε)·[t] − ε / width) · cap′.
LB_CLONES void loss_rows(const Rows& r, int64_t begin, int64_t end) {
    const int64_t width = r.width;
    const float scale = r.scale, cap = r.cap, inverse_cap = r.cap > 0 ? 1.0f / r.cap : 0;
    for (int64_t row = begin; row < end; row++) {
        float* x = r.logits + row * r.stride;
        if (cap > 0) {
#pragma omp simd
            for (int64_t i = 0; i < width; i++) x[i] = cap * hyperbolic_tangent(x[i] * scale * inverse_cap);
        } else if (scale != 1.0f) {
#pragma omp simd
            for (int64_t i = 0; i < width; i++) x[i] *= scale;
        }
        float top = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : top)
        for (int64_t i = 0; i < width; i++) top = x[i] > top ? x[i] : top;
        double sum = 0, all = 0;
        for (int64_t first = 0; first < width; first += kSumBlock) {
            const int64_t last = first + kSumBlock < width ? first + kSumBlock : width;
            float part = 0, plain = 0;
#pragma omp simd reduction(+ : part, plain)
            for (int64_t i = first; i < last; i++) {
                part += exponential(x[i] - top);
                plain += x[i];
            }
            sum += part;
            all += plain;
        }
        const float log_sum = top + static_cast<float>(std::log(sum));
        const int64_t target = r.targets[row];
        const float at_target = x[target];
        r.losses[row] = log_sum - at_target;
        if (r.smoothing > 0) {  // else 0 · ∞ where a logit is −∞
            const float mean = static_cast<float>(all / static_cast<double>(width));
            r.losses[row] = (1.0f - r.smoothing) * r.losses[row] + r.smoothing * (log_sum - mean);
        }
        if (!r.has_gradient) continue;

        const float factor = r.weights != nullptr ? r.weights[row] : 1.0f;
        const float even = r.smoothing / static_cast<float>(width);
        const float inverse_sum = static_cast<float>(1.0 / sum);
        const float slope_at_target = cap > 0 ? 1.0f - at_target * inverse_cap * (at_target * inverse_cap) : 1.0f;
        if (cap > 0) {
#pragma omp simd
            for (int64_t i = 0; i < width; i++) {
                const float bent = x[i] * inverse_cap;
                x[i] = factor * (exponential(x[i] - top) * inverse_sum - even) * (1.0f - bent * bent);
            }
        } else {
#pragma omp simd
            for (int64_t i = 0; i < width; i++) x[i] = factor * (exponential(x[i] - top) * inverse_sum - even);
        }
        x[target] -= factor * (1.0f - r.smoothing) * slope_at_target;
    }
}

}  // namespace

// logits [rows, width] fp32 on the CPU, rows at any stride; targets int64 [rows]; weights fp32 [rows] or none; losses (a new tensor [rows]) are without
// weights. With a gradient, weight · ∂loss/∂(scale · logits) is written over the logits; without, what stands there is of no use any more.
LB_API int lb_cross_entropy_(Handle logits, Handle targets, Handle weights, double scale, double cap, double smoothing, int has_gradient, Handle* losses) {
    return guard([&] {
        const at::Tensor& x = get(logits);
        TORCH_CHECK(is_plain_float(x) && x.dim() == 2 && x.stride(1) == 1 && !x.requires_grad(), "cross-entropy is for rows of fp32 logits in the processor's memory");
        const at::Tensor chosen = get(targets).contiguous();
        TORCH_CHECK(chosen.scalar_type() == at::kLong && chosen.numel() == x.size(0), "a row needs one target of type int64");
        const at::Tensor factors = weights == nullptr ? at::Tensor() : get(weights).contiguous();
        TORCH_CHECK(!factors.defined() || (is_plain_float(factors) && factors.numel() == x.size(0)), "a row needs one weight of type fp32");
        const int64_t *first = chosen.data_ptr<int64_t>(), width = x.size(1);
        for (int64_t i = 0; i < x.size(0); i++) TORCH_CHECK(first[i] >= 0 && first[i] < width, "target ", first[i], " is not in a vocabulary of ", width);
        at::Tensor out = at::empty({x.size(0)}, x.options());
        const Rows rows{x.data_ptr<float>(), x.stride(0), width, first, factors.defined() ? factors.data_ptr<float>() : nullptr, out.data_ptr<float>(), static_cast<float>(scale), static_cast<float>(cap),
                        static_cast<float>(smoothing), has_gradient != 0};
        at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) { loss_rows(rows, begin, end); });
        *losses = wrap(out);
    });
}
