// y = x Wᵀ + b with W in four-bit codes: a rectangle of W at a time is decoded into a buffer that stays in the device's cache, and multiplied by cuBLAS.
// Forward takes rows of W, backward columns, so that no product has to be added to another one in a narrow type.
#include "cuda_kernels.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>

namespace {

using cuda::FourBitTile;

constexpr int64_t kScratchElements = 8 << 20;  // 16 MB in bf16

// What describes W, in the order of lb_cuda_four_bit_linear.
struct Weight {
    at::Tensor packed, scales, map, absmax;  // map and absmax are undefined where the scales are fp32
    double offset = 0;
    int64_t group = 0;
    cuda::FourBitTable table{};
    int64_t rows = 0, columns = 0, block = 0;

    cuda::BlockScales block_scales() const {
        if (!map.defined()) return {scales.data_ptr<float>(), nullptr, nullptr, nullptr, 0, 0};
        return {nullptr, scales.data_ptr<uint8_t>(), map.data_ptr<float>(), absmax.data_ptr<float>(), static_cast<float>(offset), group};
    }

    void check(const at::Tensor& x) const {
        const int64_t count = rows * columns, blocks = block <= 0 ? 0 : (count + block - 1) / block;
        auto is_here = [&](const at::Tensor& tensor, at::ScalarType type, int64_t least) {
            return tensor.defined() && tensor.device() == x.device() && tensor.scalar_type() == type && tensor.is_contiguous() && tensor.numel() >= least;
        };
        TORCH_CHECK(rows > 0 && columns > 0 && block > 0, "four-bit weight [", rows, ", ", columns, "] in blocks of ", block);
        TORCH_CHECK(is_here(packed, at::kByte, (count + 1) / 2), "four-bit weight: ", (count + 1) / 2, " bytes of codes on ", x.device(), " were expected");
        if (!map.defined()) {
            TORCH_CHECK(is_here(scales, at::kFloat, blocks), "four-bit weight: ", blocks, " fp32 scales were expected");
            return;
        }
        TORCH_CHECK(group > 0 && is_here(scales, at::kByte, blocks) && is_here(map, at::kFloat, 256) && is_here(absmax, at::kFloat, (blocks + group - 1) / group),
                    "four-bit weight: compressed scales must be ", blocks, " bytes, a map of 256 and one fp32 for each ", group);
    }

    void decode(const at::Tensor& into, int64_t row, int64_t row_count, int64_t column, int64_t column_count) const {
        const FourBitTile tile{columns, row, row_count, column, column_count, block};
        cuda::check(cuda::four_bit_decode(cuda::element_of(into), packed.data_ptr<uint8_t>(), block_scales(), table, tile, into.data_ptr(), cuda::stream_of(into)), "four_bit_decode");
    }
};

// [P, rows] = x [P, columns] · Wᵀ.
at::Tensor product(const at::Tensor& x, const Weight& w) {
    at::Tensor y = at::empty({x.size(0), w.rows}, x.options());
    const int64_t step = std::clamp<int64_t>(kScratchElements / w.columns, 1, w.rows);
    const at::Tensor scratch = at::empty({step, w.columns}, x.options());
    for (int64_t row = 0; row < w.rows; row += step) {
        const int64_t count = std::min(step, w.rows - row);
        const at::Tensor part = scratch.narrow(0, 0, count);
        w.decode(part, row, count, 0, w.columns);
        at::Tensor out = y.narrow(1, row, count);
        at::mm_out(out, x, part.t());
    }
    return y;
}

// [P, columns] = g [P, rows] · W.
at::Tensor product_back(const at::Tensor& g, const Weight& w) {
    at::Tensor dx = at::empty({g.size(0), w.columns}, g.options());
    // Whole blocks where the width allows it: then the kernel decodes eight numbers a thread.
    const int64_t wanted = std::max<int64_t>(1, kScratchElements / w.rows / 64) * 64;
    const int64_t step = std::min(wanted, w.columns);
    const at::Tensor scratch = at::empty({w.rows * step}, g.options());
    for (int64_t column = 0; column < w.columns; column += step) {
        const int64_t count = std::min(step, w.columns - column);
        const at::Tensor part = scratch.narrow(0, 0, w.rows * count).view({w.rows, count});
        w.decode(part, 0, w.rows, column, count);
        at::Tensor out = dx.narrow(1, column, count);
        at::mm_out(out, g, part);
    }
    return dx;
}

struct FourBitLinear final : torch::autograd::Function<FourBitLinear> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Weight& w) {
        Timed timed(Part::linear, false);
        context->save_for_backward({w.packed, w.scales, w.map, w.absmax});
        context->saved_data["offset"] = w.offset;
        context->saved_data["group"] = w.group;
        context->saved_data["rows"] = w.rows;
        context->saved_data["columns"] = w.columns;
        context->saved_data["block"] = w.block;
        context->saved_data["table"] = std::vector<double>(std::begin(w.table.values), std::end(w.table.values));
        return product(x, w);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        Timed timed(Part::linear, true);
        const variable_list saved = context->get_saved_variables();
        auto number = [&](const char* name) { return context->saved_data[name].toInt(); };
        Weight w{saved[0], saved[1], saved[2], saved[3], context->saved_data["offset"].toDouble(), number("group"), {}, number("rows"), number("columns"), number("block")};
        const std::vector<double> table = context->saved_data["table"].toDoubleVector();
        std::copy(table.begin(), table.end(), w.table.values);
        const at::Tensor g = gradients[0].contiguous();
        const c10::DeviceGuard on(g.device());
        return {product_back(g, w), at::Tensor()};
    }
};

}  // namespace

// x [P, columns]; packed uint8; scales fp32 [blocks], or uint8 [blocks] with map [256] and absmax; table: sixteen numbers. Only x gets a gradient.
LB_API int lb_cuda_four_bit_linear(Handle x, Handle packed, Handle scales, Handle map, Handle absmax, double offset, int64_t group, const float* table, int64_t rows, int64_t columns, int64_t block,
                                   Handle* out) {
    return guard([&] {
        const at::Tensor in = get(x).contiguous();
        const c10::DeviceGuard on(in.device());
        Weight w{get(packed), get(scales), map == nullptr ? at::Tensor() : get(map), absmax == nullptr ? at::Tensor() : get(absmax), offset, group, {}, rows, columns, block};
        std::copy(table, table + 16, w.table.values);
        TORCH_CHECK(cuda::fits(in) && in.dim() == 2 && in.size(1) == columns, "four-bit product: x ", in.sizes(), " and a weight [", rows, ", ", columns, "]");
        w.check(in);
        *out = wrap(FourBitLinear::apply(in, w));
    });
}

// Rows [first, first + count) of the weight in the type of `like`: [count, columns], a new tensor.
LB_API int lb_cuda_four_bit_rows(Handle like, Handle packed, Handle scales, Handle map, Handle absmax, double offset, int64_t group, const float* table, int64_t rows, int64_t columns, int64_t block,
                                 int64_t first, int64_t count, Handle* out) {
    return guard([&] {
        const at::Tensor& x = get(like);
        const c10::DeviceGuard on(x.device());
        Weight w{get(packed), get(scales), map == nullptr ? at::Tensor() : get(map), absmax == nullptr ? at::Tensor() : get(absmax), offset, group, {}, rows, columns, block};
        std::copy(table, table + 16, w.table.values);
        w.check(x);
        TORCH_CHECK(first >= 0 && count >= 0 && first + count <= rows, "four-bit weight: rows ", first, " to ", first + count, " of ", rows);
        at::Tensor y = at::empty({count, columns}, x.options().requires_grad(false));
        w.decode(y, first, count, 0, columns);
        *out = wrap(std::move(y));
    });
}
