// y = x Wᵀ with W in codes (four bits, int8) or in the narrower type of its file: a rectangle of W at a time is decoded into a buffer, and multiplied by cuBLAS.
// Forward takes rows of W, backward columns, so that no product has to be added to another one in a narrow type.
#include "cuda_kernels.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <atomic>

namespace {

using cuda::Rectangle;

enum class Kind : int64_t { four_bit, int8, stored };

// What C# says of a weight (CudaFrozenWeight).
struct Described {
    Handle codes;   // uint8 of two codes each, int8 [rows, columns], or bf16 or fp16 [rows, columns]
    Handle scales;  // four_bit: fp32 [blocks] or uint8 [blocks] with map; int8: fp32 [rows]
    Handle map;     // fp32 [256]
    Handle absmax;  // fp32, one for each `group` blocks
    Kind kind;
    int64_t rows;
    int64_t columns;
    int64_t block;
    int64_t group;
    double offset;
    float table[16];
};

// Elements of the buffer: 64 MB in bf16. Larger ones make larger products, smaller ones stay in the device's cache.
std::atomic<int64_t> buffer_elements{32 << 20};

// Where rows or columns of W are cut: whole blocks of codes, and addresses at which cuBLAS may use its widest loads.
constexpr int64_t kCut = 64;

struct Weight {
    at::Tensor codes, scales, map, absmax;  // those that its kind has
    Kind kind;
    int64_t rows, columns, block, group;
    double offset;
    cuda::FourBitTable table;

    void check(const at::Tensor& x) const {
        const int64_t count = rows * columns, blocks = block <= 0 ? 0 : (count + block - 1) / block;
        auto is_here = [&](const at::Tensor& tensor, at::ScalarType type, int64_t least) {
            return tensor.defined() && tensor.device() == x.device() && tensor.scalar_type() == type && tensor.is_contiguous() && tensor.numel() >= least;
        };
        TORCH_CHECK(rows > 0 && columns > 0, "frozen weight: [", rows, ", ", columns, "]");
        if (kind == Kind::stored) {
            TORCH_CHECK(is_here(codes, at::kBFloat16, count) || is_here(codes, at::kHalf, count), "frozen weight: ", count, " numbers in bf16 or fp16 on ", x.device(), " were expected");
        } else if (kind == Kind::int8) {
            TORCH_CHECK(is_here(codes, at::kChar, count) && is_here(scales, at::kFloat, rows), "int8 weight: ", count, " codes and ", rows, " fp32 scales on ", x.device(), " were expected");
        } else {
            TORCH_CHECK(block > 0 && is_here(codes, at::kByte, (count + 1) / 2), "four-bit weight: ", (count + 1) / 2, " bytes of codes on ", x.device(), " in blocks of ", block, " were expected");
            TORCH_CHECK(map.defined() || is_here(scales, at::kFloat, blocks), "four-bit weight: ", blocks, " fp32 scales were expected");
            TORCH_CHECK(!map.defined() || (group > 0 && is_here(scales, at::kByte, blocks) && is_here(map, at::kFloat, 256) && is_here(absmax, at::kFloat, (blocks + group - 1) / group)),
                        "four-bit weight: compressed scales must be ", blocks, " bytes, a map of 256 and one fp32 for each ", group);
        }
    }

    // into [tile.row_count, tile.column_count] dense.
    void decode(const at::Tensor& into, const Rectangle& tile) const {
        if (kind == Kind::stored) {
            into.copy_(codes.view({rows, columns}).narrow(0, tile.row, tile.row_count).narrow(1, tile.column, tile.column_count));
        } else if (kind == Kind::int8) {
            cuda::check(cuda::int8_decode(cuda::element_of(into), codes.data_ptr<int8_t>(), scales.data_ptr<float>(), tile, into.data_ptr(), cuda::stream_of(into)), "int8_decode");
        } else {
            const cuda::BlockScales of_blocks = map.defined() ? cuda::BlockScales{nullptr, scales.data_ptr<uint8_t>(), map.data_ptr<float>(), absmax.data_ptr<float>(), static_cast<float>(offset), group}
                                                              : cuda::BlockScales{scales.data_ptr<float>(), nullptr, nullptr, nullptr, 0, 0};
            cuda::check(cuda::four_bit_decode(cuda::element_of(into), codes.data_ptr<uint8_t>(), of_blocks, table, block, tile, into.data_ptr(), cuda::stream_of(into)), "four_bit_decode");
        }
    }
};

// How many of `count` rows or columns, each of `size` elements, are decoded at once.
int64_t step_of(int64_t count, int64_t size) { return std::min(count, std::max<int64_t>(1, buffer_elements.load() / size / kCut) * kCut); }

// [P, rows] = x [P, columns] · Wᵀ.
at::Tensor product(const at::Tensor& x, const Weight& w) {
    at::Tensor y = at::empty({x.size(0), w.rows}, x.options());
    const int64_t step = step_of(w.rows, w.columns);
    const at::Tensor buffer = at::empty({step, w.columns}, x.options());
    for (int64_t row = 0; row < w.rows; row += step) {
        const int64_t count = std::min(step, w.rows - row);
        const at::Tensor part = buffer.narrow(0, 0, count);
        w.decode(part, {w.columns, row, count, 0, w.columns});
        at::Tensor out = y.narrow(1, row, count);
        at::mm_out(out, x, part.t());
    }
    return y;
}

// [P, columns] = g [P, rows] · W.
at::Tensor product_back(const at::Tensor& g, const Weight& w) {
    at::Tensor dx = at::empty({g.size(0), w.columns}, g.options());
    const int64_t step = step_of(w.columns, w.rows);
    const at::Tensor buffer = at::empty({w.rows * step}, g.options());
    for (int64_t column = 0; column < w.columns; column += step) {
        const int64_t count = std::min(step, w.columns - column);
        const at::Tensor part = buffer.narrow(0, 0, w.rows * count).view({w.rows, count});
        w.decode(part, {w.columns, 0, w.rows, column, count});
        at::Tensor out = dx.narrow(1, column, count);
        at::mm_out(out, g, part);
    }
    return dx;
}

struct FrozenLinear final : torch::autograd::Function<FrozenLinear> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Weight& w) {
        Timed timed(Part::linear, false);
        context->save_for_backward({w.codes, w.scales, w.map, w.absmax});
        context->saved_data["numbers"] = std::vector<int64_t>{static_cast<int64_t>(w.kind), w.rows, w.columns, w.block, w.group};
        context->saved_data["offset"] = w.offset;
        context->saved_data["table"] = std::vector<double>(std::begin(w.table.values), std::end(w.table.values));
        return product(x, w);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        Timed timed(Part::linear, true);
        const variable_list saved = context->get_saved_variables();
        const std::vector<int64_t> n = context->saved_data["numbers"].toIntVector();
        Weight w{saved[0], saved[1], saved[2], saved[3], static_cast<Kind>(n[0]), n[1], n[2], n[3], n[4], context->saved_data["offset"].toDouble(), {}};
        const std::vector<double> table = context->saved_data["table"].toDoubleVector();
        std::transform(table.begin(), table.end(), w.table.values, [](double value) { return static_cast<float>(value); });
        const at::Tensor g = gradients[0].contiguous();
        const c10::DeviceGuard on(g.device());
        return {product_back(g, w), at::Tensor()};
    }
};

Weight weight_of(const Described& d, const at::Tensor& x) {
    TORCH_CHECK(d.kind >= Kind::four_bit && d.kind <= Kind::stored, "frozen weight: kind ", static_cast<int64_t>(d.kind));
    auto given = [](Handle handle) { return handle == nullptr ? at::Tensor() : get(handle); };
    Weight w{get(d.codes), given(d.scales), given(d.map), given(d.absmax), d.kind, d.rows, d.columns, d.block, d.group, d.offset, {}};
    std::copy(d.table, d.table + 16, w.table.values);
    TORCH_CHECK(cuda::fits(x), "frozen weight: numbers in ", x.scalar_type(), " on ", x.device());
    w.check(x);
    return w;
}

}  // namespace

// x [P, columns]; out [P, rows]. Only x gets a gradient.
LB_API int lb_cuda_frozen_linear(Handle x, const Described* weight, Handle* out) {
    return guard([&] {
        const at::Tensor in = get(x).contiguous();
        const c10::DeviceGuard on(in.device());
        const Weight w = weight_of(*weight, in);
        TORCH_CHECK(in.dim() == 2 && in.size(1) == w.columns, "frozen product: x ", in.sizes(), " and a weight [", w.rows, ", ", w.columns, "]");
        *out = wrap(FrozenLinear::apply(in, w));
    });
}

// Rows [first, first + count) of the weight in the type of `like`: [count, columns], a new tensor.
LB_API int lb_cuda_frozen_rows(Handle like, const Described* weight, int64_t first, int64_t count, Handle* out) {
    return guard([&] {
        const at::Tensor& x = get(like);
        const c10::DeviceGuard on(x.device());
        const Weight w = weight_of(*weight, x);
        TORCH_CHECK(first >= 0 && count >= 0 && first + count <= w.rows, "frozen weight: rows ", first, " to ", first + count, " of ", w.rows);
        at::Tensor y = at::empty({count, w.columns}, x.options().requires_grad(false));
        w.decode(y, {w.columns, first, count, 0, w.columns});
        *out = wrap(std::move(y));
    });
}

// How many decoded elements a product may hold at once; at least one cut of rows or columns is always taken.
LB_API int lb_cuda_set_frozen_buffer(int64_t elements) {
    return guard([&] {
        TORCH_CHECK(elements > 0, "a buffer of ", elements, " elements");
        buffer_elements.store(elements);
    });
}
