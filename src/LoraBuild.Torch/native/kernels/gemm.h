// Products of fp32 matrices in the processor's memory by whichever of the libraries at hand is faster for the shape.
#pragma once

#include "kernel.h"

namespace lorabuild {

// A matrix whose rows are `stride` numbers apart; transposed: it enters a product as its transpose.
struct Matrix {
    const float* data;
    int64_t stride;
    bool is_transposed = false;
};

inline Matrix matrix(const at::Tensor& x) { return {x.data_ptr<float>(), x.stride(0), false}; }
inline Matrix transposed(const at::Tensor& x) { return {x.data_ptr<float>(), x.stride(0), true}; }

// c [rows, columns] = alpha · a · b + beta · c, with a [rows, inner] and b [inner, columns] after transposition. With beta 0 what stood in c does not matter.
void gemm(int64_t rows, int64_t columns, int64_t inner, float alpha, Matrix a, Matrix b, float beta, float* c, int64_t c_stride);

// The same by libtorch's BLAS, bit for bit what its tensor calls give.
void blas_gemm(int64_t rows, int64_t columns, int64_t inner, float alpha, Matrix a, Matrix b, float beta, float* c, int64_t c_stride);

}  // namespace lorabuild
