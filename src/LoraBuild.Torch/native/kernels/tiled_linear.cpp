// y = x · Wᵀ with a frozen W that is held compressed, where no adapter is fused with it: arithmetic that rounds to bf16, and rows that are bf16 themselves.
// Backward is dx = dy · W. Nothing but a reference to the compressed weight is saved.
#include "product.h"

#include <ATen/core/ivalue.h>
#include <ATen/ops/empty.h>

namespace {

void round_all(const at::Tensor& in, at::Tensor& out) {
    at::parallel_for(0, in.numel(), 1 << 16, [&](int64_t begin, int64_t end) { round_to_bf16(in.data_ptr<float>() + begin, out.data_ptr<float>() + begin, end - begin); });
}

// A dense fp32 copy or view of the rows, rounded to bf16 where products are.
at::Tensor operand(const at::Tensor& rows, const FrozenWeight& weight) {
    at::Tensor wide = rows.to(at::kFloat).contiguous();
    if (weight.info.rounds_to_bf16 == 0 || rows.scalar_type() == at::kBFloat16) return wide;
    at::Tensor rounded = at::empty(wide.sizes(), wide.options());
    round_all(wide, rounded);
    return rounded;
}

at::Tensor result(at::Tensor sums, const FrozenWeight& weight, at::ScalarType type) {
    if (weight.info.rounds_to_bf16 != 0 && type == at::kFloat) round_all(sums, sums);
    return sums.to(type);
}

at::Tensor times(const at::Tensor& rows, const FrozenWeight& weight, bool is_transposed) {
    const int64_t columns = is_transposed ? weight.info.rows : weight.info.columns;
    at::Tensor y = at::empty({rows.size(0), columns}, rows.options());
    RightOperand right;
    right.frozen = &weight;
    right.is_transposed = is_transposed;
    product(rows.size(0), columns, ProductTerm{rows.data_ptr<float>(), rows.size(1), rows.size(1), right}, false, y.data_ptr<float>(), columns);
    return y;
}

struct TiledLinear final : torch::autograd::Function<TiledLinear> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const WeightPointer& weight) {
        Timed timed(Part::linear, false);
        context->saved_data["weight"] = c10::IValue::make_capsule(weight);
        context->saved_data["type"] = static_cast<int64_t>(input.scalar_type());
        return result(times(operand(input, *weight), *weight, true), *weight, input.scalar_type());
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        Timed timed(Part::linear, true);
        const auto capsule = context->saved_data["weight"].toCapsule();
        const FrozenWeight& weight = static_cast<const FrozenWeight&>(*capsule);
        const auto type = static_cast<at::ScalarType>(context->saved_data["type"].toInt());
        return {result(times(operand(gradients[0], weight), weight, false), weight, type), at::Tensor()};
    }
};

// W of a product without a gradient: a tensor [out, in] or a frozen weight, one of them.
RightOperand right_of(Handle dense, FrozenWeight* frozen, bool is_transposed) {
    RightOperand right;
    right.is_transposed = is_transposed;
    right.frozen = frozen;
    if (frozen != nullptr) {
        TORCH_CHECK(frozen->info.rounds_to_bf16 == 0, "a weight whose products are rounded has no plain product");
        return right;
    }
    const at::Tensor& w = get(dense);
    TORCH_CHECK(is_plain_float(w) && w.dim() == 2 && (w.stride(1) == 1 || w.size(1) == 1), "a product is with a matrix of fp32 in the processor's memory");
    right.data = w.data_ptr<float>();
    right.stride = w.stride(0);
    return right;
}

void check_rows(const at::Tensor& x, int64_t width, const char* what) {
    TORCH_CHECK(is_plain_float(x) && x.dim() == 2 && (x.stride(1) == 1 || width <= 1) && x.size(1) == width, what, " ", x.sizes(), " of a product is not fp32 rows of ", width);
}

}  // namespace

// x [n, in] fp32 or bf16 on the CPU; bias [out] or null.
LB_API int lb_tiled_linear(FrozenWeight* weight, Handle x, Handle bias, Handle* out) {
    return guard([&] {
        TORCH_CHECK(get(x).dim() == 2 && get(x).size(1) == weight->info.columns, "a product of ", get(x).sizes(), " with a weight [", weight->info.rows, ", ", weight->info.columns, "]");
        TORCH_CHECK(get(x).device().is_cpu() && get(x).is_floating_point() && (bias == nullptr || get(bias).numel() == weight->info.rows), "a product on ", get(x).device(), " of ", get(x).scalar_type(), " with ", weight->info.rows, " rows and a bias");
        c10::raw::intrusive_ptr::incref(weight);
        at::Tensor y = TiledLinear::apply(get(x), WeightPointer::reclaim(weight));
        if (bias != nullptr) y = y.add_(get(bias));
        *out = wrap(std::move(y));
    });
}

// y [n, out] = x Wᵀ, or [n, in] = factor · x W; y is overwritten, and autograd does not see it. W is `dense` [out, in] or `frozen`.
LB_API int lb_frozen_product_(Handle x, Handle dense, FrozenWeight* frozen, int is_transposed, double factor, Handle y) {
    return guard([&] {
        const at::Tensor &rows = get(x), &result = get(y);
        const RightOperand right = right_of(dense, frozen, is_transposed != 0);
        const int64_t out = frozen != nullptr ? frozen->info.rows : get(dense).size(0), in = frozen != nullptr ? frozen->info.columns : get(dense).size(1);
        check_rows(rows, is_transposed != 0 ? in : out, "the left operand");
        check_rows(result, is_transposed != 0 ? out : in, "the result");
        TORCH_CHECK(rows.size(0) == result.size(0) && !result.requires_grad(), "a product of ", rows.sizes(), " into ", result.sizes());
        product(rows.size(0), result.size(1), ProductTerm{rows.data_ptr<float>(), rows.stride(0), rows.size(1), right}, false, result.data_ptr<float>(), result.stride(0));
        if (factor == 1) return;
        at::NoGradGuard no_grad;
        at::Tensor scaled = result;
        scaled.mul_(factor);
    });
}
