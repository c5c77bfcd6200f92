// Row-wise functions that both nodes of their own and the fused linear layers use. All tensors are fp32 in the processor's memory.
#pragma once

#include "kernel.h"

namespace lorabuild {

// As Activation in C#.
enum class Act : int64_t { silu, gelu, gelu_tanh };

// y = x · rstd · (offset + w) for rows of `width`; fills rstd [rows].
void norm_forward(const float* x, const float* w, float* y, float* rstd, int64_t rows, int64_t width, float eps, float offset);

// The same y from an rstd that is known, bit for bit.
void norm_again(const float* x, const float* w, const float* rstd, float* y, int64_t rows, int64_t width, float offset);

// dx of the norm from g = dy; dx may be g.
void norm_backward(const float* g, const float* x, const float* w, const float* rstd, float* dx, int64_t rows, int64_t width, float offset);

// dw += Σ over rows of g · x · rstd; the same sum on any number of threads.
void norm_weight_backward(const float* g, const float* x, const float* rstd, float* dw, int64_t rows, int64_t width);

// Rows of a matrix whose columns lie side by side.
struct Rows {
    float* data;
    int64_t stride;
};

// out = act(gate) · up.
void gated_forward(Rows gate, Rows up, Rows out, int64_t rows, int64_t width, Act act);

// dgate = g · up · act′(gate), dup = g · act(gate); dup may be g.
void gated_backward(Rows g, Rows gate, Rows up, Rows dgate, Rows dup, int64_t rows, int64_t width, Act act);

// Without a copy where columns already lie side by side.
inline at::Tensor with_rows(const at::Tensor& x) { return x.dim() == 2 && x.stride(1) == 1 ? x : x.contiguous(); }
inline Rows rows_of(const at::Tensor& x) { return {x.data_ptr<float>(), x.stride(0)}; }

}  // namespace lorabuild
