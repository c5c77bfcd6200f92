// Linear layers over one input as one function: y_i = n W_iᵀ + b_i + s_i · (drop_i(n) A_iᵀ) B_iᵀ, where n is the input itself, its RMSNorm, or act(gate) · up.
// Saved are what n is made of and the low-rank products, never n where it can be made again, no mask of dropout, and of frozen layers nothing but a reference to the weight.
// Backward adds up all input gradients in one buffer. Frozen weights get none. (LoRA: Hu et al. 2021.)
#include "dropout.h"
#include "gemm.h"
#include "product.h"
#include "rows.h"

#include <ATen/core/ivalue.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <string>
#include <vector>

namespace {

// As LinearInput in C#.
enum class Input : int64_t { plain, norm, gated, gated_halves };

// As NativeLinear in C#; handles that are null are not there.
struct LinearPart {
    Handle weight;  // [out, in]; null: `frozen` is the weight
    FrozenWeight* frozen;
    Handle bias;    // [out]
    Handle a;       // [r, in]
    Handle b;       // [out, r]
    const SeededRun* drops;  // of the input of A [rows, in]
    int64_t drop_count;      // 0: nothing is dropped
    double scaling;
    double keep;             // 1 − p
};

// As NativeLinearInput in C#.
struct LinearInput {
    int64_t kind;
    Handle x;       // plain, norm: the input; gated: gate; gated_halves: [rows, gate | up]
    Handle second;  // norm: its weight; gated: up
    double eps;
    double offset;
    int64_t act;
};

// Where the tensors of a layer stand among the arguments, and what of it the gradient needs to know; −1: not there.
struct Place {
    int64_t weight = -1, bias = -1, a = -1, b = -1;
    int64_t rank_begin = 0, rank = 0;
    double scaling = 0;
    Dropout dropout{1, {}};
    WeightPointer frozen;  // where the weight is no tensor
    bool has_adapter() const { return a >= 0; }
    bool is_dropped() const { return !dropout.runs.empty(); }
};

struct Layout {
    Input kind = Input::plain;
    Act act = Act::silu;
    float eps = 0, offset = 0;
    bool has_second = false;
    int64_t ranks = 0;       // Σ r
    bool is_stacked = false;  // nothing is dropped: all A are one product
    std::vector<Place> places;
};

// What the node keeps beside its saved tensors: plain numbers. It rides in saved_data as a list.
void store(AutogradContext* context, const Layout& layout) {
    std::vector<int64_t> numbers{static_cast<int64_t>(layout.kind), static_cast<int64_t>(layout.act), layout.has_second, layout.ranks, layout.is_stacked};
    std::vector<double> reals{layout.eps, layout.offset};
    for (const Place& p : layout.places) {
        numbers.insert(numbers.end(), {p.weight, p.bias, p.a, p.b, p.rank_begin, p.rank, static_cast<int64_t>(p.dropout.runs.size())});
        for (const SeededRun& run : p.dropout.runs) numbers.insert(numbers.end(), {run.seed, run.first, run.count});
        reals.insert(reals.end(), {p.scaling, p.dropout.keep});
    }
    for (size_t i = 0; i < layout.places.size(); i++)
        if (layout.places[i].frozen) context->saved_data["frozen" + std::to_string(i)] = c10::IValue::make_capsule(layout.places[i].frozen);
    context->saved_data["numbers"] = numbers;
    context->saved_data["reals"] = reals;
}

Layout restore(AutogradContext* context) {
    const std::vector<int64_t> numbers = context->saved_data["numbers"].toIntVector();
    const std::vector<double> reals = context->saved_data["reals"].toDoubleVector();
    Layout layout;
    layout.kind = static_cast<Input>(numbers[0]);
    layout.act = static_cast<Act>(numbers[1]);
    layout.has_second = numbers[2] != 0;
    layout.ranks = numbers[3];
    layout.is_stacked = numbers[4] != 0;
    layout.eps = static_cast<float>(reals[0]);
    layout.offset = static_cast<float>(reals[1]);
    for (size_t i = 5, k = 2; i < numbers.size(); k += 2) {
        Place place{numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4], numbers[i + 5], reals[k], {reals[k + 1], {}}, {}};
        const size_t end = i + 7 + 3 * static_cast<size_t>(numbers[i + 6]);
        for (i += 7; i < end; i += 3) place.dropout.runs.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
        const auto frozen = context->saved_data.find("frozen" + std::to_string(layout.places.size()));
        if (frozen != context->saved_data.end()) place.frozen = c10::static_intrusive_pointer_cast<FrozenWeight>(frozen->second.toCapsule());
        layout.places.push_back(std::move(place));
    }
    return layout;
}

int64_t width_of(const Layout& layout, const at::Tensor& x) { return layout.kind == Input::gated_halves ? x.size(1) / 2 : x.size(1); }

// gate and up of a gated input, or of its gradient.
std::pair<Rows, Rows> halves(const Layout& layout, const at::Tensor& first, const at::Tensor& second, int64_t width) {
    const Rows gate = rows_of(first);
    return {gate, layout.kind == Input::gated_halves ? Rows{gate.data + width, gate.stride} : rows_of(second)};
}

// n [rows, in]. `rstd` is filled when it is undefined, else used.
at::Tensor input_of(const Layout& layout, const at::Tensor& x, const at::Tensor& second, at::Tensor& rstd, bool is_backward) {
    if (layout.kind == Input::plain) return x;
    const int64_t rows = x.size(0), width = width_of(layout, x);
    at::Tensor n = at::empty({rows, width}, x.options());
    if (layout.kind == Input::norm) {
        Timed timed(Part::norm, is_backward);
        const float *in = x.data_ptr<float>(), *w = second.data_ptr<float>();
        if (rstd.defined()) {
            norm_again(in, w, rstd.data_ptr<float>(), n.data_ptr<float>(), rows, width, layout.offset);
        } else {
            rstd = at::empty({rows}, x.options());
            norm_forward(in, w, n.data_ptr<float>(), rstd.data_ptr<float>(), rows, width, layout.eps, layout.offset);
        }
        return n;
    }
    Timed timed(Part::activation, is_backward);
    const auto [gate, up] = halves(layout, x, second, width);
    gated_forward(gate, up, rows_of(n), rows, width, layout.act);
    return n;
}

at::Tensor stacked(const Layout& layout, const variable_list& tensors) {
    std::vector<at::Tensor> parts;
    for (const Place& p : layout.places)
        if (p.has_adapter()) parts.push_back(tensors[static_cast<size_t>(p.a)].detach());
    return parts.size() == 1 ? parts[0].contiguous() : at::cat(parts, 0);
}

const at::Tensor& at_place(const variable_list& tensors, int64_t place) { return tensors[static_cast<size_t>(place)]; }

int64_t outputs_of(const variable_list& tensors, const Place& p) { return p.frozen ? p.frozen->info.rows : at_place(tensors, p.weight).size(0); }

int64_t inputs_of(const variable_list& tensors, const Place& p) { return p.frozen ? p.frozen->info.columns : at_place(tensors, p.weight).size(1); }

RightOperand dense(const at::Tensor& w, bool is_transposed, float factor = 1) { return {w.data_ptr<float>(), w.stride(0), nullptr, is_transposed, factor}; }

RightOperand weight_of(const variable_list& tensors, const Place& p, bool is_transposed) {
    return p.frozen ? RightOperand{nullptr, 0, p.frozen.get(), is_transposed, 1} : dense(at_place(tensors, p.weight), is_transposed);
}

// What A of a layer reads; n is dense.
at::Tensor dropped_of(const Place& p, const at::Tensor& n) {
    if (!p.is_dropped()) return n;
    at::Tensor result = at::empty(n.sizes(), n.options());
    drop(p.dropout, n.data_ptr<float>(), result.data_ptr<float>());
    return result;
}

ProductTerm term(const at::Tensor& left, const RightOperand& right) { return {left.data_ptr<float>(), left.stride(0), left.size(1), right}; }

// The products below read and write by these shapes alone.
void check(const Layout& layout, const variable_list& tensors) {
    for (const at::Tensor& tensor : tensors) TORCH_CHECK(is_plain_float(tensor), "fused linear layers are for fp32 in the processor's memory");
    const at::Tensor& x = tensors[0];
    TORCH_CHECK(x.dim() == 2 && (layout.kind != Input::gated_halves || x.size(1) % 2 == 0), "fused linear layers read [rows, in], not ", x.sizes());
    TORCH_CHECK(layout.has_second == (layout.kind == Input::norm || layout.kind == Input::gated), "a norm needs its weight and a gate its other half; other inputs have none");
    const int64_t rows = x.size(0), in = width_of(layout, x);
    if (layout.kind == Input::norm) TORCH_CHECK(tensors[1].numel() == in, "a norm of ", x.sizes(), " with a weight ", tensors[1].sizes());
    if (layout.kind == Input::gated) TORCH_CHECK(tensors[1].sizes() == x.sizes(), "a gate ", x.sizes(), " over ", tensors[1].sizes());
    for (const Place& p : layout.places) {
        if (p.frozen) {
            TORCH_CHECK(p.frozen->info.columns == in && p.frozen->info.rounds_to_bf16 == 0, "a frozen weight [out, ", in, "] whose products are not rounded is needed");
        } else {
            const at::Tensor& w = at_place(tensors, p.weight);
            TORCH_CHECK(w.dim() == 2 && w.size(1) == in && !w.requires_grad(), "a frozen weight [out, ", in, "] is needed, not ", w.sizes());
        }
        const int64_t out = outputs_of(tensors, p);
        TORCH_CHECK(p.bias < 0 || at_place(tensors, p.bias).numel() == out, "a bias of ", out, " is needed");
        TORCH_CHECK(p.has_adapter() == (p.b >= 0) && (p.has_adapter() || !p.is_dropped()), "an adapter is A and B");
        if (!p.has_adapter()) continue;
        const at::Tensor &a = at_place(tensors, p.a), &b = at_place(tensors, p.b);
        TORCH_CHECK(a.dim() == 2 && a.size(1) == in && b.dim() == 2 && b.size(0) == out && b.size(1) == a.size(0), "an adapter ", a.sizes(), ", ", b.sizes(), " on a weight [", out, ", ", in, "]");
        int64_t dropped = 0;
        for (const SeededRun& run : p.dropout.runs) dropped += run.count;
        TORCH_CHECK(!p.is_dropped() || dropped == rows * in, "dropout of ", dropped, " numbers on an input [", rows, ", ", in, "]");
    }
}

struct LinearGroup final : torch::autograd::Function<LinearGroup> {
    static variable_list forward(AutogradContext* context, at::TensorList given, const Layout& layout) {
        variable_list tensors(given.begin(), given.end());
        const bool is_gated = layout.kind == Input::gated || layout.kind == Input::gated_halves;
        for (size_t i = 0; i < tensors.size(); i++) {
            const bool is_input = i == 0 || (i == 1 && layout.has_second);
            tensors[i] = is_input && is_gated ? with_rows(tensors[i]) : tensors[i].contiguous();
        }
        const at::Tensor& x = tensors[0];
        const at::Tensor second = layout.has_second ? tensors[1] : at::Tensor();
        at::Tensor rstd;
        const at::Tensor n = input_of(layout, x, second, rstd, false);
        const int64_t rows = n.size(0), in = n.size(1);

        at::Tensor low;  // [rows, Σ r]
        if (layout.ranks > 0) {
            Timed timed(Part::adapter, false);
            low = at::empty({rows, layout.ranks}, n.options());
            float* out = low.data_ptr<float>();
            if (layout.is_stacked) {
                gemm(rows, layout.ranks, in, 1, matrix(n), transposed(stacked(layout, tensors)), 0, out, layout.ranks);
            } else {
                for (const Place& p : layout.places) {
                    if (!p.has_adapter()) continue;
                    const at::Tensor dropped = dropped_of(p, n);
                    gemm(rows, p.rank, in, 1, matrix(dropped), transposed(at_place(tensors, p.a)), 0, out + p.rank_begin, layout.ranks);
                }
            }
        }

        variable_list outputs;
        Timed timed(Part::linear, false);
        for (const Place& p : layout.places) {
            const int64_t columns = outputs_of(tensors, p);
            at::Tensor y = at::empty({rows, columns}, n.options());
            if (p.bias >= 0) y.copy_(at_place(tensors, p.bias).expand({rows, columns}));
            std::vector<ProductTerm> terms{term(n, weight_of(tensors, p, true))};
            if (p.has_adapter()) terms.push_back(term(low.narrow(1, p.rank_begin, p.rank), dense(at_place(tensors, p.b), true, static_cast<float>(p.scaling))));
            product(rows, columns, terms, p.bias >= 0, y.data_ptr<float>(), columns);
            outputs.push_back(y);
        }

        save(context, layout, tensors, rstd, low);
        return outputs;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const Layout layout = restore(context);
        variable_list tensors = context->get_saved_variables();
        const at::Tensor low = tensors.back();
        tensors.pop_back();
        at::Tensor rstd = tensors.back();
        tensors.pop_back();
        for (at::Tensor& gradient : gradients) gradient = gradient.contiguous();
        variable_list result(tensors.size() + 1);  // the last is the layout's

        const bool leads_down = context->needs_input_grad(0) || (layout.has_second && context->needs_input_grad(1));
        at::Tensor dlow, all_a;
        if (layout.ranks > 0) {
            Timed timed(Part::adapter, true);
            at::Tensor n = input_of(layout, tensors[0], layout.has_second ? tensors[1] : at::Tensor(), rstd, true);
            if (layout.is_stacked) all_a = stacked(layout, tensors);
            dlow = low_rank_gradients(layout, tensors, gradients, n, low, result);
        }
        biases(context, layout, gradients, result);
        if (leads_down) {
            at::Tensor dn = input_gradient(layout, tensors, gradients, dlow, all_a);
            through_input(context, layout, tensors, rstd, dn, result);
        }
        return result;
    }

private:
    static void save(AutogradContext* context, const Layout& layout, variable_list tensors, const at::Tensor& rstd, const at::Tensor& low) {
        // Without an adapter's A, a plain input is not needed again.
        if (layout.kind == Input::plain && layout.ranks == 0) tensors[0] = at::Tensor();
        for (const Place& p : layout.places)
            if (p.bias >= 0) tensors[static_cast<size_t>(p.bias)] = at::Tensor();
        tensors.push_back(rstd);
        tensors.push_back(low);
        context->save_for_backward(tensors);
        store(context, layout);
    }

    // dB = s · dyᵀ low and dA = dlowᵀ n with dlow = s · dy B; returns dlow [rows, Σ r].
    static at::Tensor low_rank_gradients(const Layout& layout, const variable_list& tensors, const variable_list& gradients, const at::Tensor& n, const at::Tensor& low, variable_list& result) {
        const int64_t rows = n.size(0), in = n.size(1), ranks = layout.ranks;
        at::Tensor dlow = at::empty({rows, ranks}, n.options());
        for (size_t i = 0; i < layout.places.size(); i++) {
            const Place& p = layout.places[i];
            if (!p.has_adapter()) continue;
            const at::Tensor &dy = gradients[i], &b = at_place(tensors, p.b);
            const int64_t columns = dy.size(1);
            const float scaling = static_cast<float>(p.scaling);
            gemm(rows, p.rank, columns, scaling, matrix(dy), matrix(b), 0, dlow.data_ptr<float>() + p.rank_begin, ranks);
            at::Tensor db = at::empty({columns, p.rank}, n.options());
            gemm(columns, p.rank, rows, scaling, transposed(dy), {low.data_ptr<float>() + p.rank_begin, ranks}, 0, db.data_ptr<float>(), p.rank);
            result[static_cast<size_t>(p.b)] = db;
        }
        at::Tensor da = at::empty({ranks, in}, n.options());
        if (layout.is_stacked) gemm(ranks, in, rows, 1, transposed(dlow), matrix(n), 0, da.data_ptr<float>(), in);
        for (const Place& p : layout.places) {
            if (!p.has_adapter()) continue;
            at::Tensor part = da.narrow(0, p.rank_begin, p.rank);
            if (!layout.is_stacked) {
                const at::Tensor dropped = dropped_of(p, n);
                gemm(p.rank, in, rows, 1, {dlow.data_ptr<float>() + p.rank_begin, ranks, true}, matrix(dropped), 0, part.data_ptr<float>(), in);
            }
            result[static_cast<size_t>(p.a)] = part;
        }
        return dlow;
    }

    static void biases(AutogradContext* context, const Layout& layout, const variable_list& gradients, variable_list& result) {
        Timed timed(Part::linear, true);
        for (size_t i = 0; i < layout.places.size(); i++) {
            const int64_t bias = layout.places[i].bias;
            if (bias >= 0 && context->needs_input_grad(static_cast<size_t>(bias))) result[static_cast<size_t>(bias)] = gradients[i].sum(0);
        }
    }

    // dn = Σ dy W + drop(dlow A), in one buffer.
    static at::Tensor input_gradient(const Layout& layout, const variable_list& tensors, const variable_list& gradients, const at::Tensor& dlow, const at::Tensor& all_a) {
        const int64_t rows = gradients[0].size(0), in = inputs_of(tensors, layout.places[0]);
        at::Tensor dn = at::empty({rows, in}, gradients[0].options());
        float* out = dn.data_ptr<float>();
        {
            Timed timed(Part::linear, true);
            std::vector<ProductTerm> terms;
            for (size_t i = 0; i < layout.places.size(); i++) terms.push_back(term(gradients[i], weight_of(tensors, layout.places[i], false)));
            if (layout.is_stacked && layout.ranks > 0) terms.push_back(term(dlow, dense(all_a, false)));
            product(rows, in, terms, false, out, in);
        }
        if (layout.ranks == 0 || layout.is_stacked) return dn;
        Timed timed(Part::adapter, true);
        for (const Place& p : layout.places) {
            if (!p.has_adapter()) continue;
            const Matrix part{dlow.data_ptr<float>() + p.rank_begin, layout.ranks};
            if (!p.is_dropped()) {
                gemm(rows, in, p.rank, 1, part, matrix(at_place(tensors, p.a)), 1, out, in);
                continue;
            }
            at::Tensor undropped = at::empty({rows, in}, dn.options());
            gemm(rows, in, p.rank, 1, part, matrix(at_place(tensors, p.a)), 0, undropped.data_ptr<float>(), in);
            add_dropped(p.dropout, undropped.data_ptr<float>(), out);
        }
        return dn;
    }

    // From dn to the gradients of what n is made of; dn is used up.
    static void through_input(AutogradContext* context, const Layout& layout, const variable_list& tensors, const at::Tensor& rstd, at::Tensor& dn, variable_list& result) {
        const int64_t rows = dn.size(0), width = dn.size(1);
        if (layout.kind == Input::plain) {
            result[0] = dn;
            return;
        }
        const at::Tensor& x = tensors[0];
        if (layout.kind == Input::norm) {
            Timed timed(Part::norm, true);
            if (context->needs_input_grad(1)) {
                result[1] = at::zeros({width}, dn.options());
                norm_weight_backward(dn.data_ptr<float>(), x.data_ptr<float>(), rstd.data_ptr<float>(), result[1].data_ptr<float>(), rows, width);
            }
            if (context->needs_input_grad(0)) {
                norm_backward(dn.data_ptr<float>(), x.data_ptr<float>(), tensors[1].data_ptr<float>(), rstd.data_ptr<float>(), dn.data_ptr<float>(), rows, width, layout.offset);
                result[0] = dn;
            }
            return;
        }
        Timed timed(Part::activation, true);
        const bool is_one = layout.kind == Input::gated_halves;
        const auto [gate, up] = halves(layout, x, is_one ? x : tensors[1], width);
        result[0] = at::empty({rows, is_one ? 2 * width : width}, dn.options());
        if (!is_one) result[1] = dn;  // written over element by element
        const auto [dgate, dup] = halves(layout, result[0], is_one ? result[0] : result[1], width);
        gated_backward(rows_of(dn), gate, up, dgate, dup, rows, width, layout.act);
    }
};

}  // namespace

// Everything but frozen weights is fp32 on the CPU; dense weights do not require gradients. Fills `count` outputs.
LB_API int lb_linear_group(const LinearInput* input, const LinearPart* parts, int64_t count, Handle* outputs) {
    return guard([&] {
        Layout layout;
        layout.kind = static_cast<Input>(input->kind);
        layout.act = static_cast<Act>(input->act);
        layout.eps = static_cast<float>(input->eps);
        layout.offset = static_cast<float>(input->offset);
        layout.has_second = input->second != nullptr;
        layout.is_stacked = true;
        std::vector<at::Tensor> tensors{get(input->x)};
        if (layout.has_second) tensors.push_back(get(input->second));
        const auto add = [&](Handle handle) -> int64_t {
            if (handle == nullptr) return -1;
            tensors.push_back(get(handle));
            return static_cast<int64_t>(tensors.size()) - 1;
        };
        for (int64_t i = 0; i < count; i++) {
            const LinearPart& part = parts[i];
            Place place;
            place.weight = add(part.weight);
            if (part.frozen != nullptr) {
                c10::raw::intrusive_ptr::incref(part.frozen);
                place.frozen = WeightPointer::reclaim(part.frozen);
            }
            TORCH_CHECK((place.weight >= 0) != static_cast<bool>(place.frozen), "a layer has one weight");
            place.bias = add(part.bias);
            place.a = add(part.a);
            place.b = add(part.b);
            place.scaling = part.scaling;
            place.dropout = {part.keep, {part.drops, part.drops + part.drop_count}};
            place.rank_begin = layout.ranks;
            place.rank = place.has_adapter() && get(part.a).dim() == 2 ? get(part.a).size(0) : 0;
            layout.ranks += place.rank;
            layout.is_stacked = layout.is_stacked && !place.is_dropped();
            layout.places.push_back(place);
        }
        check(layout, tensors);
        const variable_list results = LinearGroup::apply(at::TensorList(tensors), layout);
        for (int64_t i = 0; i < count; i++) outputs[i] = wrap(results[static_cast<size_t>(i)]);
    });
}
