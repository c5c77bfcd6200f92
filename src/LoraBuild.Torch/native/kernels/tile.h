// Products of small blocks that lie in the caches, for kernels that are LB_CLONES: everything here is inlined into them.
#pragma once

#include "numbers.h"

namespace lorabuild {

// Rows and columns of a result that stay in registers. 8 × 32 fills those of AVX-512; with fewer or shorter registers that would spill.
struct WideTile {
    static constexpr int rows = 8;
    static constexpr int columns = 32;
};
struct NarrowTile {
    static constexpr int rows = 4;
    static constexpr int columns = 16;
};

// All leading dimensions and padded sizes are multiples of this: no product has a rest of columns narrower than it.
constexpr int64_t kColumnUnit = 16;
constexpr int64_t kRowUnit = 8;

inline int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

inline bool has_wide_registers() { return processor_level() >= 4; }

// C[Rows, Columns] (+)= Σ_k A(row, k) · B[k, column]; A(m, k) = a[m · row_step + k · inner_step], so A may be transposed.
template <int Rows, int Columns, bool Adds>
LB_INLINE void register_tile(const float* a, int64_t row_step, int64_t inner_step, const float* b, int64_t b_stride, float* c, int64_t c_stride, int64_t inner) {
    float sum[Rows][Columns];
    for (int i = 0; i < Rows; i++) {
#pragma omp simd
        for (int j = 0; j < Columns; j++) sum[i][j] = Adds ? c[i * c_stride + j] : 0.0f;
    }
    for (int64_t k = 0; k < inner; k++) {
#pragma GCC unroll 8
        for (int i = 0; i < Rows; i++) {
            const float factor = a[i * row_step + k * inner_step];
#pragma omp simd
            for (int j = 0; j < Columns; j++) sum[i][j] += factor * b[k * b_stride + j];
        }
    }
    for (int i = 0; i < Rows; i++) {
#pragma omp simd
        for (int j = 0; j < Columns; j++) c[i * c_stride + j] = sum[i][j];
    }
}

// The same for kRowUnit rows and any number of columns that is a multiple of kColumnUnit.
template <typename Tile, bool Adds>
LB_INLINE void row_product(const float* a, int64_t row_step, int64_t inner_step, const float* b, int64_t b_stride, float* c, int64_t c_stride, int64_t columns, int64_t inner) {
    int64_t column = 0;
    for (; column + Tile::columns <= columns; column += Tile::columns) {
        for (int64_t row = 0; row < kRowUnit; row += Tile::rows)
            register_tile<Tile::rows, Tile::columns, Adds>(a + row * row_step, row_step, inner_step, b + column, b_stride, c + row * c_stride + column, c_stride, inner);
    }
    if (Tile::columns > kColumnUnit && column < columns)
        register_tile<kRowUnit, kColumnUnit, Adds>(a, row_step, inner_step, b + column, b_stride, c + column, c_stride, inner);
}

}  // namespace lorabuild
