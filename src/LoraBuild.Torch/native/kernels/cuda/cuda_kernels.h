// The CUDA kernels over tensors: what the autograd functions call where their input lives on a device. Only built with LB_HAS_CUDA.
#pragma once

#include "../kernel.h"
#include "launch.h"

namespace lorabuild::cuda {

// fp32 or bf16 on a CUDA device of compute capability 8.0 or newer: what the kernels here compute on.
bool fits(const at::Tensor& tensor);

Element element_of(const at::Tensor& tensor);

// The stream on which libtorch works now, on the tensor's device.
Stream stream_of(const at::Tensor& tensor);

// Throws with the runtime's own text.
void check(Status status, const char* kernel);

// x, y [rows, width] dense, rstd fp32 [rows].
void rms_norm_forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& y, const at::Tensor& rstd, double eps, double offset);
void rms_norm_backward(const at::Tensor& g, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd, const at::Tensor& dx, double offset);

// dw [width] in the weight's type.
at::Tensor rms_norm_weight(const at::Tensor& g, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd);

// x [tokens, heads, head width], heads dense within a token; cos, sin [tokens, 1, half]. A new dense tensor.
at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, bool inverse);

// gate, up [rows, width], each with rows that are dense in themselves.
at::Tensor gated_forward(const at::Tensor& gate, const at::Tensor& up, Gate kind);
std::pair<at::Tensor, at::Tensor> gated_backward(const at::Tensor& g, const at::Tensor& gate, const at::Tensor& up, Gate kind);

}  // namespace lorabuild::cuda
