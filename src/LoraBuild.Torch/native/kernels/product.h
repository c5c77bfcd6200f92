// Products with frozen matrices, fp32 sums in the processor's memory. The matrix may be dense, narrow or compressed: a piece of it is widened into the caches
// and multiplied with all rows from there. Several products are added up in registers.
#pragma once

#include "frozen_weight.h"

namespace lorabuild {

// The right operand [inner, columns]: W itself, or its transpose, of a W that is dense or a FrozenWeight.
struct RightOperand {
    const float* data = nullptr;
    int64_t stride = 0;  // of the rows of W
    const FrozenWeight* frozen = nullptr;
    bool is_transposed = false;
    float factor = 1;  // on W; dense ones only
};

// left · right with left [rows, inner], its rows `stride` numbers apart.
struct ProductTerm {
    const float* left;
    int64_t stride;
    int64_t inner;
    RightOperand right;
};

// c [rows, columns] = Σ terms, + c where it adds. An element is summed in the order of the terms and of their inner index, in blocks that depend on the
// inner widths alone: neither the threads nor the other rows and columns change a bit of it. Fewer than twelve rows with dense matrices alone are left to
// the libraries of gemm.h, which sum in orders of their own.
void product(int64_t rows, int64_t columns, at::ArrayRef<ProductTerm> terms, bool adds, float* c, int64_t c_stride);

}  // namespace lorabuild
