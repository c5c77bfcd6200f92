// Rotary position embedding (Su et al., 2021, half-split) in one pass forward and one backward. It saves the angles, never x.
#include "kernel.h"
#ifdef LB_HAS_CUDA
#include "cuda/cuda_kernels.h"
#endif

#include <ATen/ops/empty.h>

namespace {

struct Rotation {
    const float* in;
    int64_t row_stride;
    int64_t head_stride;
    const float* cosines;  // [rows, half]
    const float* sines;
    float* out;  // [rows, heads, width]
    int64_t heads;
    int64_t width;
    int64_t half;
    float sign;  // −1 turns back
};

// (a, b) → (a cos − b sin, b cos + a sin), b being half the rotary width after a; what lies beyond is copied.
LB_CLONES void rotate_rows(const Rotation& r, int64_t begin, int64_t end) {
    const int64_t half = r.half, width = r.width;
    const float sign = r.sign;
    for (int64_t row = begin; row < end; row++) {
        const float* cosines = r.cosines + row * half;
        const float* sines = r.sines + row * half;
        for (int64_t head = 0; head < r.heads; head++) {
            const float* in = r.in + row * r.row_stride + head * r.head_stride;
            float* out = r.out + (row * r.heads + head) * width;
#pragma omp simd
            for (int64_t i = 0; i < half; i++) {
                const float a = in[i], b = in[half + i], c = cosines[i], s = sign * sines[i];
                out[i] = a * c - b * s;
                out[half + i] = b * c + a * s;
            }
            for (int64_t i = 2 * half; i < width; i++) out[i] = in[i];
        }
    }
}

at::Tensor rotate(const at::Tensor& input, const at::Tensor& cosines, const at::Tensor& sines, float sign) {
#ifdef LB_HAS_CUDA
    if (input.is_cuda()) return cuda::rope(input, cosines, sines, sign < 0);
#endif
    const at::Tensor x = input.stride(2) == 1 ? input : input.contiguous();
    at::Tensor y = at::empty(x.sizes(), x.options());
    const Rotation rotation{x.data_ptr<float>(), x.stride(0), x.stride(1), cosines.data_ptr<float>(), sines.data_ptr<float>(), y.data_ptr<float>(), x.size(1), x.size(2), cosines.size(-1), sign};
    at::parallel_for(0, x.size(0), grain(x.size(1) * x.size(2)), [&](int64_t begin, int64_t end) { rotate_rows(rotation, begin, end); });
    return y;
}

struct Rope final : torch::autograd::Function<Rope> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines) {
        Timed timed(Part::rope, false);
        const at::Tensor c = cosines.contiguous(), s = sines.contiguous();
        context->save_for_backward({c, s});
        return rotate(x, c, s, 1);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        Timed timed(Part::rope, true);
        const variable_list saved = context->get_saved_variables();
        return {rotate(gradients[0], saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
    }
};

}  // namespace

// x [P, heads, headDim] fp32 on the CPU or of a type of the CUDA kernels, rows and heads at any stride; cos and sin [P, 1, half] in its type, 2 · half ≤ headDim.
LB_API int lb_rope(Handle x, Handle cosines, Handle sines, Handle* out) {
    return guard([&] {
        const at::Tensor &rows = get(x), &c = get(cosines), &s = get(sines);
        TORCH_CHECK(rows.dim() == 3 && c.dim() > 0 && 2 * c.size(-1) <= rows.size(2) && c.numel() == rows.size(0) * c.size(-1) && s.sizes() == c.sizes(), "a rotation of ", rows.sizes(), " by angles ", c.sizes(), " and ",
                    s.sizes());
        TORCH_CHECK(rows.is_cuda() || (is_plain_float(rows) && is_plain_float(c) && is_plain_float(s)), "the rotation is for fp32 in the processor's memory");
        *out = wrap(Rope::apply(rows, c, s));
    });
}
