// RMSNorm in one pass forward and one backward (Zhang and Sennrich, 2019). It saves x and one number a row.
#include "rows.h"
#ifdef LB_HAS_CUDA
#include "cuda/cuda_kernels.h"
#endif

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <cmath>

namespace {

// rstd = 1 / sqrt(mean(x²) + eps).
LB_CLONES void scale_rows(const float* x, float* rstd, int64_t begin, int64_t end, int64_t width, float eps) {
    for (int64_t row = begin; row < end; row++) {
        const float* in = x + row * width;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < width; i++) sum += in[i] * in[i];
        rstd[row] = 1.0f / std::sqrt(sum / static_cast<float>(width) + eps);
    }
}

// y = x · rstd · (offset + w).
LB_CLONES void normed_rows(const float* x, const float* w, const float* rstd, float* y, int64_t begin, int64_t end, int64_t width, float offset) {
    for (int64_t row = begin; row < end; row++) {
        const float* in = x + row * width;
        float* out = y + row * width;
        const float scale = rstd[row];
#pragma omp simd
        for (int64_t i = 0; i < width; i++) out[i] = in[i] * scale * (offset + w[i]);
    }
}

// With u = g · (offset + w) and n = x · rstd: dx = rstd · (u − n · mean(u · n)).
LB_CLONES void backward_rows(const float* g, const float* x, const float* w, const float* rstd, float* dx, int64_t begin, int64_t end, int64_t width, float offset) {
    for (int64_t row = begin; row < end; row++) {
        const float* up = g + row * width;
        const float* in = x + row * width;
        float* out = dx + row * width;
        const float scale = rstd[row];
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < width; i++) sum += up[i] * (offset + w[i]) * in[i];
        const float mean = sum * scale * scale / static_cast<float>(width);
#pragma omp simd
        for (int64_t i = 0; i < width; i++) out[i] = scale * (up[i] * (offset + w[i]) - in[i] * mean);
    }
}

// dw += Σ over rows of g · x · rstd, for the columns from `begin` to `end`: the order of the sum does not depend on the number of threads.
LB_CLONES void weight_columns(const float* g, const float* x, const float* rstd, float* dw, int64_t begin, int64_t end, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++) {
        const float scale = rstd[row];
        const float* up = g + row * width;
        const float* in = x + row * width;
#pragma omp simd
        for (int64_t i = begin; i < end; i++) dw[i] += up[i] * in[i] * scale;
    }
}

struct RmsNorm final : torch::autograd::Function<RmsNorm> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, double eps, double offset) {
        Timed timed(Part::norm, false);
        const at::Tensor x = input.contiguous();
        const at::Tensor w = weight.contiguous();
        const int64_t width = x.size(-1);
        const int64_t rows = width == 0 ? 0 : x.numel() / width;
        at::Tensor y = at::empty_like(x);
        at::Tensor rstd = at::empty({rows}, x.options().dtype(at::kFloat));
        context->save_for_backward({x, w, rstd});
        context->saved_data["offset"] = offset;
#ifdef LB_HAS_CUDA
        if (x.is_cuda()) {
            cuda::rms_norm_forward(x, w, y, rstd, eps, offset);
            return y;
        }
#endif
        norm_forward(x.data_ptr<float>(), w.data_ptr<float>(), y.data_ptr<float>(), rstd.data_ptr<float>(), rows, width, static_cast<float>(eps), static_cast<float>(offset));
        return y;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        Timed timed(Part::norm, true);
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &w = saved[1], &rstd = saved[2];
        const float offset = static_cast<float>(context->saved_data["offset"].toDouble());
        const at::Tensor g = gradients[0].contiguous();
        const int64_t width = x.size(-1);
        const int64_t rows = rstd.numel();
#ifdef LB_HAS_CUDA
        if (x.is_cuda()) return cuda_backward(context, g, x, w, rstd, offset);
#endif
        const float *up = g.data_ptr<float>(), *in = x.data_ptr<float>(), *factors = w.data_ptr<float>(), *scales = rstd.data_ptr<float>();
        at::Tensor dx, dw;
        if (context->needs_input_grad(0)) {
            dx = at::empty_like(x);
            norm_backward(up, in, factors, scales, dx.data_ptr<float>(), rows, width, offset);
        }
        if (context->needs_input_grad(1)) {
            dw = at::zeros({width}, w.options());
            norm_weight_backward(up, in, scales, dw.data_ptr<float>(), rows, width);
        }
        return {dx, dw, at::Tensor(), at::Tensor()};
    }

#ifdef LB_HAS_CUDA
    static variable_list cuda_backward(AutogradContext* context, const at::Tensor& g, const at::Tensor& x, const at::Tensor& w, const at::Tensor& rstd, double offset) {
        at::Tensor dx, dw;
        if (context->needs_input_grad(0)) {
            dx = at::empty_like(x);
            cuda::rms_norm_backward(g, x, w, rstd, dx, offset);
        }
        if (context->needs_input_grad(1)) dw = cuda::rms_norm_weight(g, x, w, rstd);
        return {dx, dw, at::Tensor(), at::Tensor()};
    }
#endif
};

}  // namespace

void lorabuild::norm_forward(const float* x, const float* w, float* y, float* rstd, int64_t rows, int64_t width, float eps, float offset) {
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
        scale_rows(x, rstd, begin, end, width, eps);
        normed_rows(x, w, rstd, y, begin, end, width, offset);
    });
}

void lorabuild::norm_again(const float* x, const float* w, const float* rstd, float* y, int64_t rows, int64_t width, float offset) {
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) { normed_rows(x, w, rstd, y, begin, end, width, offset); });
}

void lorabuild::norm_backward(const float* g, const float* x, const float* w, const float* rstd, float* dx, int64_t rows, int64_t width, float offset) {
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) { backward_rows(g, x, w, rstd, dx, begin, end, width, offset); });
}

void lorabuild::norm_weight_backward(const float* g, const float* x, const float* rstd, float* dw, int64_t rows, int64_t width) {
    at::parallel_for(0, width, 64, [&](int64_t begin, int64_t end) { weight_columns(g, x, rstd, dw, begin, end, rows, width); });
}

// x […, width], weight [width], both fp32 on the CPU or of one type on a CUDA device; offset 1 for Gemma's (1 + w), else 0.
LB_API int lb_rms_norm(Handle x, Handle weight, double eps, double offset, Handle* out) {
    return guard([&] {
        TORCH_CHECK(get(x).dim() > 0 && get(weight).numel() == get(x).size(-1), "a norm of ", get(x).sizes(), " with a weight ", get(weight).sizes());
        TORCH_CHECK(get(x).is_cuda() || (is_plain_float(get(x)) && is_plain_float(get(weight))), "the norm is for fp32 in the processor's memory");
        *out = wrap(RmsNorm::apply(get(x), get(weight), eps, offset));
    });
}
