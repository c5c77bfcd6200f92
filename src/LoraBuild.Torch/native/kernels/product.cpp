// The loops around a product of blocks, after Goto and van de Geijn (2008): columns of the right operand are packed into panels that stay in the second-level cache, and rows
// of the left one are multiplied with a panel in tiles that stay in registers. What is special is packing: panels are made from bf16, codes or dense numbers.
#include "product.h"
#include "gemm.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

// What one pass over the rows multiplies with: inner indices and columns that are packed at once. 640 · 160 numbers are 400 KB.
constexpr int64_t kInner = 640;
constexpr int64_t kColumns = 160;
// Inner indices that are decoded at once before they are packed.
constexpr int64_t kPiece = 160;

// With fewer rows than this a dense matrix is multiplied as it lies: packing would cost more than the product.
constexpr int64_t kLeastRows = 12;

// Registers of a tile: rows × vectors × numbers of a vector. With AVX-512 24 of 32 registers hold sums, with AVX2 12 of 16.
struct Wide {
    typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias));
    typedef int32_t Words __attribute__((vector_size(64), aligned(2), may_alias));
    static constexpr int lanes = 16, rows = 12;
};
struct Narrow {
    typedef float Vector __attribute__((vector_size(32), aligned(4), may_alias));
    typedef int32_t Words __attribute__((vector_size(32), aligned(2), may_alias));
    static constexpr int lanes = 8, rows = 6;
};

// A part of one term's inner width.
struct Segment {
    const float* left;  // at its first inner index
    int64_t stride;
    const RightOperand* right;
    int64_t first;  // inner index
    int64_t count;
};

struct Job {
    float* c;
    int64_t c_stride;
    // What is summed before c is written, and whether c is read first.
    std::vector<std::vector<Segment>> blocks;
    bool adds;
};

// Terms cut into blocks of nearly equal inner width, a multiple of 16.
std::vector<std::vector<Segment>> blocks_of(at::ArrayRef<ProductTerm> terms) {
    int64_t total = 0;
    for (const ProductTerm& term : terms) total += term.inner;
    if (total == 0) return std::vector<std::vector<Segment>>(1);  // sums of nothing
    const int64_t count = (total + kInner - 1) / kInner;
    const int64_t width = ((total + count - 1) / count + 15) / 16 * 16;
    std::vector<std::vector<Segment>> blocks;
    int64_t room = 0;
    for (const ProductTerm& term : terms) {
        for (int64_t first = 0; first < term.inner;) {
            if (room == 0) {
                blocks.emplace_back();
                room = width;
            }
            const int64_t taken = std::min(room, term.inner - first);
            blocks.back().push_back({term.left + first, term.stride, &term.right, first, taken});
            first += taken;
            room -= taken;
        }
    }
    return blocks;
}

// What a thread packs into; it stays for the next product.
struct Scratch {
    float* panels;
    float* rows;
    Scratch() {
        constexpr size_t bytes = sizeof(float) * (kInner * kColumns + kPiece * 16 + 64);
        memory.reset(static_cast<float*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)));
        TORCH_CHECK(memory != nullptr, "DefaultCPUAllocator: not enough memory: ", bytes, " bytes for the panels of a product");
        panels = memory.get();
        rows = panels + kInner * kColumns;
    }

private:
    struct Free {
        void operator()(float* p) const { std::free(p); }
    };
    std::unique_ptr<float, Free> memory;
};

// Exchanges the off-diagonal quarters of blocks of 2 · Distance: the steps of a transposition (Eklundh 1972). Index p of a vector pair (low, high).
template <int Distance, int Lanes>
constexpr int low_index(int p) {
    return (p & Distance) != 0 ? Lanes + p - Distance : p;
}
template <int Distance, int Lanes>
constexpr int high_index(int p) {
    return (p & Distance) != 0 ? Lanes + p : p + Distance;
}

template <int Distance>
LB_INLINE void exchange(Wide::Words* rows) {
    using W = int32_t __attribute__((vector_size(64)));
#define LB_SIXTEEN(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)
#define LB_LOW(p) low_index<Distance, 16>(p)
#define LB_HIGH(p) high_index<Distance, 16>(p)
    constexpr W low = {LB_SIXTEEN(LB_LOW)}, high = {LB_SIXTEEN(LB_HIGH)};
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        if ((i & Distance) != 0) continue;
        const W a = rows[i], b = rows[i + Distance];
        rows[i] = __builtin_shuffle(a, b, low);
        rows[i + Distance] = __builtin_shuffle(a, b, high);
    }
}

template <int Distance>
LB_INLINE void exchange(Narrow::Words* rows) {
    using W = int32_t __attribute__((vector_size(32)));
#define LB_EIGHT(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)
#define LB_LOW_8(p) low_index<Distance, 8>(p)
#define LB_HIGH_8(p) high_index<Distance, 8>(p)
    constexpr W low = {LB_EIGHT(LB_LOW_8)}, high = {LB_EIGHT(LB_HIGH_8)};
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        if ((i & Distance) != 0) continue;
        const W a = rows[i], b = rows[i + Distance];
        rows[i] = __builtin_shuffle(a, b, low);
        rows[i + Distance] = __builtin_shuffle(a, b, high);
    }
}

LB_INLINE void transpose(Wide::Words* rows) {
    exchange<8>(rows);
    exchange<4>(rows);
    exchange<2>(rows);
    exchange<1>(rows);
}
LB_INLINE void transpose(Narrow::Words* rows) {
    exchange<4>(rows);
    exchange<2>(rows);
    exchange<1>(rows);
}

// panel[k · width + i] = factor · w[i · stride + k] for `valid` ≤ lanes rows, 0 beyond; `width` is the panel's.
template <typename Tile>
LB_INLINE void pack_transposed(const float* w, int64_t stride, int64_t valid, int64_t count, float factor, float* panel, int64_t width) {
    constexpr int lanes = Tile::lanes;
    using Vector = typename Tile::Vector;
    using Words = typename Tile::Words;
    int64_t k = 0;
    for (; k + lanes <= count; k += lanes) {
        Words block[lanes];
#pragma GCC unroll 16
        for (int i = 0; i < lanes; i++) block[i] = i < valid ? *reinterpret_cast<const Words*>(w + i * stride + k) : Words{};
        transpose(block);
#pragma GCC unroll 16
        for (int i = 0; i < lanes; i++) *reinterpret_cast<Vector*>(panel + (k + i) * width) = reinterpret_cast<const Vector&>(block[i]) * factor;
    }
    for (; k < count; k++) {
        for (int64_t i = 0; i < lanes; i++) panel[k * width + i] = i < valid ? factor * w[i * stride + k] : 0.0f;
    }
}

// The same of bf16. Two neighbours are one word while they are transposed: the even one is its low half.
template <typename Tile>
LB_INLINE void pack_transposed_bfloat16(const uint16_t* w, int64_t stride, int64_t valid, int64_t count, float* panel, int64_t width) {
    constexpr int lanes = Tile::lanes;
    using Words = typename Tile::Words;
    int64_t k = 0;
    for (; k + 2 * lanes <= count; k += 2 * lanes) {
        Words block[lanes];
#pragma GCC unroll 16
        for (int i = 0; i < lanes; i++) block[i] = i < valid ? *reinterpret_cast<const Words*>(w + i * stride + k) : Words{};
        transpose(block);
#pragma GCC unroll 16
        for (int i = 0; i < lanes; i++) {
            *reinterpret_cast<Words*>(panel + (k + 2 * i) * width) = block[i] << 16;
            *reinterpret_cast<Words*>(panel + (k + 2 * i + 1) * width) = block[i] & static_cast<int32_t>(0xffff0000u);
        }
    }
    for (; k < count; k++) {
        for (int64_t i = 0; i < lanes; i++) panel[k * width + i] = __builtin_bit_cast(float, i < valid ? static_cast<uint32_t>(w[i * stride + k]) << 16 : 0u);
    }
}

// Of the transpose of W: `lanes` of its rows from `column` on, as columns of a panel.
template <typename Tile>
LB_INLINE void pack_rows(const Segment& s, int64_t column, int64_t valid, float* panel, int64_t width, float* scratch) {
    const RightOperand& right = *s.right;
    if (right.frozen == nullptr) return pack_transposed<Tile>(right.data + column * right.stride + s.first, right.stride, valid, s.count, right.factor, panel, width);
    const FrozenWeight& frozen = *right.frozen;
    if (frozen.kind() == Kind::bfloat16)
        return pack_transposed_bfloat16<Tile>(frozen.stored() + column * frozen.info.columns + s.first, frozen.info.columns, valid, s.count, panel, width);
    for (int64_t k = 0; k < s.count; k += kPiece) {
        const int64_t piece = std::min(kPiece, s.count - k);
        for (int64_t i = 0; i < valid; i++) frozen.widen(column + i, s.first + k, piece, scratch + i * kPiece);
        pack_transposed<Tile>(scratch, kPiece, valid, piece, 1.0f, panel + k * width, width);
    }
}

// Rows of W lie far apart, and processors fetch ahead only along a row: this many rows ahead the lines that will be packed are asked for.
constexpr int64_t kRowsAhead = 12;

LB_INLINE void fetch(const void* first, int64_t bytes) {
    for (int64_t i = 0; i < bytes + 63; i += 64) __builtin_prefetch(static_cast<const char*>(first) + i);
}

// Of W itself: columns [column, column + valid), one inner index after the other, into all panels of a group. Panel j begins at panels[j], and they are `width` wide.
template <typename Tile>
LB_INLINE void pack_columns(const Segment& s, int64_t column, int64_t valid, float* const* panels, int64_t count, int64_t width, float* scratch) {
    const RightOperand& right = *s.right;
    const bool is_bfloat16 = right.frozen != nullptr && right.frozen->kind() == Kind::bfloat16;
    for (int64_t k = 0; k < s.count; k++) {
        const float* from = scratch;
        float factor = 1;
        if (right.frozen == nullptr) {
            from = right.data + (s.first + k) * right.stride + column;
            factor = right.factor;
            if (k + kRowsAhead < s.count) fetch(from + kRowsAhead * right.stride, valid * 4);
        } else if (is_bfloat16) {
            const int64_t stride = right.frozen->info.columns;
            const uint16_t* stored = right.frozen->stored() + (s.first + k) * stride + column;
            if (k + kRowsAhead < s.count) fetch(stored + kRowsAhead * stride, valid * 2);
            for (int64_t i = 0; i < valid; i++) scratch[i] = __builtin_bit_cast(float, static_cast<uint32_t>(stored[i]) << 16);
        } else {
            right.frozen->widen(s.first + k, column, valid, scratch);
        }
        for (int64_t j = 0; j < count; j++) {
            float* to = panels[j] + k * width;
            const int64_t there = std::min(width, valid - j * width);
            for (int64_t i = 0; i < there; i++) to[i] = factor * from[j * width + i];
            for (int64_t i = there; i < width; i++) to[i] = 0.0f;
        }
    }
}

// c [Rows, Vectors · lanes] (+)= Σ over segments of left · panel. A block's sum begins at 0 and is added at its end: that rounds less than one long chain.
template <typename Tile, int Rows, int Vectors, bool Adds>
LB_INLINE void multiply_tile(const std::vector<Segment>& segments, int64_t row, const float* panel, float* c, int64_t c_stride) {
    using Vector = typename Tile::Vector;
    constexpr int lanes = Tile::lanes;
    Vector sum[Rows][Vectors];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; j++) sum[i][j] = Vector{};
    for (const Segment& s : segments) {
        const float* left = s.left + row * s.stride;
        const int64_t stride = s.stride;
        for (int64_t k = 0; k < s.count; k++) {
            Vector right[Vectors];
#pragma GCC unroll 4
            for (int j = 0; j < Vectors; j++) right[j] = *reinterpret_cast<const Vector*>(panel + j * lanes);
            panel += Vectors * lanes;
#pragma GCC unroll 16
            for (int i = 0; i < Rows; i++) {
                const Vector factor = left[i * stride + k] - Vector{};
#pragma GCC unroll 4
                for (int j = 0; j < Vectors; j++) sum[i][j] += factor * right[j];
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; j++) {
            Vector* to = reinterpret_cast<Vector*>(c + i * c_stride + j * lanes);
            *to = Adds ? *to + sum[i][j] : sum[i][j];
        }
}

// The same for a panel whose last columns may not be there: by a copy of the tile.
template <typename Tile, int Rows, int Vectors>
LB_INLINE void multiply_rows(const std::vector<Segment>& segments, int64_t row, const float* panel, int64_t valid, bool adds, float* c, int64_t c_stride) {
    constexpr int64_t width = Vectors * Tile::lanes;
    if (valid == width)
        return adds ? multiply_tile<Tile, Rows, Vectors, true>(segments, row, panel, c, c_stride) : multiply_tile<Tile, Rows, Vectors, false>(segments, row, panel, c, c_stride);
    float tile[Rows * width] = {};
    for (int64_t i = 0; adds && i < Rows; i++)
        for (int64_t j = 0; j < valid; j++) tile[i * width + j] = c[i * c_stride + j];
    multiply_tile<Tile, Rows, Vectors, true>(segments, row, panel, tile, width);
    for (int64_t i = 0; i < Rows; i++)
        for (int64_t j = 0; j < valid; j++) c[i * c_stride + j] = tile[i * width + j];
}

// A group of columns that is packed: panels of two vectors one after the other, the last of them perhaps of one vector or not full.
struct Group {
    const std::vector<Segment>& segments;
    const float* panels;
    int64_t inner;
    int64_t columns;
    bool adds;
    float* c;
    int64_t c_stride;
};

template <typename Tile, int Rows>
LB_INLINE void multiply_group(const Group& g, int64_t row) {
    constexpr int64_t lanes = Tile::lanes, width = 2 * lanes;
    float* c = g.c + row * g.c_stride;
    int64_t column = 0;
    for (; column + lanes < g.columns; column += width)
        multiply_rows<Tile, Rows, 2>(g.segments, row, g.panels + column * g.inner, std::min(width, g.columns - column), g.adds, c + column, g.c_stride);
    if (column < g.columns) multiply_rows<Tile, Rows, 1>(g.segments, row, g.panels + column * g.inner, g.columns - column, g.adds, c + column, g.c_stride);
}

// Rows [row, row_end) and columns [column, column_end) of c.
template <typename Tile>
LB_INLINE void multiply_part(const Job& job, int64_t row, int64_t row_end, int64_t column, int64_t column_end, const Scratch& scratch) {
    constexpr int64_t lanes = Tile::lanes, width = 2 * lanes;
    for (size_t block = 0; block < job.blocks.size(); block++) {
        const std::vector<Segment>& segments = job.blocks[block];
        const bool adds = job.adds || block > 0;
        int64_t inner = 0;
        for (const Segment& s : segments) inner += s.count;
        const int64_t groups = (column_end - column + kColumns - 1) / kColumns;
        const int64_t step = ((column_end - column + groups - 1) / groups + width - 1) / width * width;
        for (int64_t group = column; group < column_end; group += step) {
            const int64_t columns = std::min(step, column_end - group);
            const int64_t wholes = columns / width * width;
            // The last panel is half as wide where that is enough.
            const int64_t rest = columns - wholes, rest_width = rest > lanes ? width : lanes;
            int64_t offset = 0;
            for (const Segment& s : segments) {
                std::array<float*, kColumns / 16> panels{};
                const int64_t count = wholes / width;
                for (int64_t j = 0; j < count; j++) panels[static_cast<size_t>(j)] = scratch.panels + j * width * inner + offset * width;
                float* last = scratch.panels + wholes * inner + offset * rest_width;
                if (s.right->is_transposed) {
                    for (int64_t i = 0; i < wholes; i += lanes) pack_rows<Tile>(s, group + i, lanes, panels[static_cast<size_t>(i / width)] + i % width, width, scratch.rows);
                    for (int64_t i = 0; i < rest; i += lanes) pack_rows<Tile>(s, group + wholes + i, std::min(lanes, rest - i), last + i, rest_width, scratch.rows);
                } else {
                    if (wholes > 0) pack_columns<Tile>(s, group, wholes, panels.data(), count, width, scratch.rows);
                    if (rest > 0) pack_columns<Tile>(s, group + wholes, rest, &last, 1, rest_width, scratch.rows);
                }
                offset += s.count;
            }
            const Group packed{segments, scratch.panels, inner, columns, adds, job.c + group, job.c_stride};
            int64_t i = row;
            for (; i + Tile::rows <= row_end; i += Tile::rows) multiply_group<Tile, Tile::rows>(packed, i);
            for (; i + 4 <= row_end; i += 4) multiply_group<Tile, 4>(packed, i);
            // Rows in one tile: a tile of one takes as long as one of four, the time until a sum can be added to again.
            if (row_end - i == 3) multiply_group<Tile, 3>(packed, i);
            else if (row_end - i == 2) multiply_group<Tile, 2>(packed, i);
            else if (row_end - i == 1) multiply_group<Tile, 1>(packed, i);
        }
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("arch=x86-64-v4"))) void multiply_wide(const Job& job, int64_t row, int64_t row_end, int64_t column, int64_t column_end, const Scratch& scratch) {
    multiply_part<Wide>(job, row, row_end, column, column_end, scratch);
}
#endif

LB_CLONES void multiply_narrow(const Job& job, int64_t row, int64_t row_end, int64_t column, int64_t column_end, const Scratch& scratch) {
    multiply_part<Narrow>(job, row, row_end, column, column_end, scratch);
}

// Into how many parts the columns are cut, the rows being cut for the remaining threads: each part packs its columns, so fewer cuts of the rows are better
// until that leaves threads idle.
int64_t column_parts(int64_t rows, int64_t columns, int64_t threads) {
    constexpr int64_t unit = 32, packing = 10;  // packing a number costs about as much as multiplying it with ten rows
    int64_t best = 1, least = INT64_MAX;
    for (int64_t parts = threads; parts >= 1; parts--) {
        if (threads % parts != 0) continue;
        const int64_t across = (columns + unit - 1) / unit, part = (across + parts - 1) / parts;
        const int64_t down = (rows + threads / parts - 1) / (threads / parts);
        const int64_t cost = part * (down + packing);
        if (cost < least) {
            least = cost;
            best = parts;
        }
    }
    return best;
}

}  // namespace

void lorabuild::product(int64_t rows, int64_t columns, at::ArrayRef<ProductTerm> terms, bool adds, float* c, int64_t c_stride) {
    if (rows == 0 || columns == 0) return;
    if (rows < kLeastRows && std::all_of(terms.begin(), terms.end(), [](const ProductTerm& t) { return t.right.frozen == nullptr; })) {
        for (const ProductTerm& t : terms) {
            blas_gemm(rows, columns, t.inner, t.right.factor, {t.left, t.stride}, {t.right.data, t.right.stride, t.right.is_transposed}, adds ? 1 : 0, c, c_stride);
            adds = true;
        }
        return;
    }
    const Job job{c, c_stride, blocks_of(terms), adds};
    const auto part = [&](int64_t row, int64_t row_end, int64_t column, int64_t column_end) {
        static thread_local const Scratch scratch;
#if defined(__x86_64__) && defined(__GNUC__)
        if (processor_level() >= 4) return multiply_wide(job, row, row_end, column, column_end, scratch);
#endif
        multiply_narrow(job, row, row_end, column, column_end, scratch);
    };
    int64_t inner = 0;
    for (const ProductTerm& term : terms) inner += term.inner;
    const int64_t threads = at::in_parallel_region() || rows * columns * inner < (1 << 16) ? 1 : at::get_num_threads();
    if (threads == 1) return part(0, rows, 0, columns);
    const int64_t across = column_parts(rows, columns, threads), down = threads / across;
    const int64_t width = (columns + across - 1) / across, step = (width + 31) / 32 * 32, height = (rows + down - 1) / down;
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            const int64_t row = i / across * height, column = i % across * step;
            const int64_t row_end = std::min(rows, row + height), column_end = std::min(columns, column + step);
            if (row < row_end && column < column_end) part(row, row_end, column, column_end);
        }
    });
}
