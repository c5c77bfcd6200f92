// act(gate) · up in one pass forward and one backward (SwiGLU and GeGLU, Shazeer 2020). It saves gate and up, which are there anyway.
#include "numbers.h"
#include "rows.h"

#include <ATen/ops/empty.h>

namespace {

struct Silu {
    static LB_INLINE float value(float x) { return x / (1.0f + exponential(-x)); }
    static LB_INLINE float slope(float x) {
        const float s = 1.0f / (1.0f + exponential(-x));
        return s * (1.0f + x * (1.0f - s));
    }
};

// x Φ(x).
struct Gelu {
    static LB_INLINE float value(float x) { return 0.5f * x * (1.0f + error_function(x * 0.70710678f)); }
    static LB_INLINE float slope(float x) { return 0.5f * (1.0f + error_function(x * 0.70710678f)) + x * 0.39894228f * exponential(-0.5f * x * x); }
};

// ½x(1 + tanh(√(2/π)(x + 0.044715 x³))), Hendrycks and Gimpel 2016; ½(1 + tanh z) = 1 / (1 + e⁻²ᶻ).
struct GeluTanh {
    static LB_INLINE float half(float x) { return 1.0f / (1.0f + exponential(-1.5957691f * (x + 0.044715f * x * x * x))); }
    static LB_INLINE float value(float x) { return x * half(x); }
    static LB_INLINE float slope(float x) {
        const float h = half(x);
        return h + x * h * (1.0f - h) * 1.5957691f * (1.0f + 0.134145f * x * x);
    }
};

template <typename A>
LB_INLINE void forward_part(Rows gate, Rows up, Rows out, int64_t begin, int64_t end, int64_t width) {
    for (int64_t row = begin; row < end; row++) {
        const float* g = gate.data + row * gate.stride;
        const float* u = up.data + row * up.stride;
        float* o = out.data + row * out.stride;
#pragma omp simd
        for (int64_t i = 0; i < width; i++) o[i] = A::value(g[i]) * u[i];
    }
}

template <typename A>
LB_INLINE void backward_part(Rows upstream, Rows gate, Rows up, Rows dgate, Rows dup, int64_t begin, int64_t end, int64_t width) {
    for (int64_t row = begin; row < end; row++) {
        const float* d = upstream.data + row * upstream.stride;
        const float* g = gate.data + row * gate.stride;
        const float* u = up.data + row * up.stride;
        float* dg = dgate.data + row * dgate.stride;
        float* du = dup.data + row * dup.stride;
#pragma omp simd
        for (int64_t i = 0; i < width; i++) {
            const float flow = d[i];
            dg[i] = flow * u[i] * A::slope(g[i]);
            du[i] = flow * A::value(g[i]);
        }
    }
}

LB_CLONES void forward_rows(Rows gate, Rows up, Rows out, int64_t begin, int64_t end, int64_t width, Act act) {
    switch (act) {
        case Act::silu: forward_part<Silu>(gate, up, out, begin, end, width); break;
        case Act::gelu: forward_part<Gelu>(gate, up, out, begin, end, width); break;
        case Act::gelu_tanh: forward_part<GeluTanh>(gate, up, out, begin, end, width); break;
    }
}

LB_CLONES void backward_rows(Rows g, Rows gate, Rows up, Rows dgate, Rows dup, int64_t begin, int64_t end, int64_t width, Act act) {
    switch (act) {
        case Act::silu: backward_part<Silu>(g, gate, up, dgate, dup, begin, end, width); break;
        case Act::gelu: backward_part<Gelu>(g, gate, up, dgate, dup, begin, end, width); break;
        case Act::gelu_tanh: backward_part<GeluTanh>(g, gate, up, dgate, dup, begin, end, width); break;
    }
}

struct GatedActivation final : torch::autograd::Function<GatedActivation> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up, int64_t act) {
        Timed timed(Part::activation, false);
        const at::Tensor g = with_rows(gate), u = with_rows(up);
        at::Tensor out = at::empty({g.size(0), g.size(1)}, g.options());
        gated_forward(rows_of(g), rows_of(u), rows_of(out), g.size(0), g.size(1), static_cast<Act>(act));
        context->save_for_backward({g, u});
        context->saved_data["act"] = act;
        return out;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        Timed timed(Part::activation, true);
        const variable_list saved = context->get_saved_variables();
        const at::Tensor upstream = with_rows(gradients[0]);
        const int64_t rows = upstream.size(0), width = upstream.size(1);
        at::Tensor dgate = at::empty({rows, width}, upstream.options()), dup = at::empty({rows, width}, upstream.options());
        gated_backward(rows_of(upstream), rows_of(saved[0]), rows_of(saved[1]), rows_of(dgate), rows_of(dup), rows, width, static_cast<Act>(context->saved_data["act"].toInt()));
        return {dgate, dup, at::Tensor()};
    }
};

}  // namespace

void lorabuild::gated_forward(Rows gate, Rows up, Rows out, int64_t rows, int64_t width, Act act) {
    at::parallel_for(0, rows, grain(4 * width), [&](int64_t begin, int64_t end) { forward_rows(gate, up, out, begin, end, width, act); });
}

void lorabuild::gated_backward(Rows g, Rows gate, Rows up, Rows dgate, Rows dup, int64_t rows, int64_t width, Act act) {
    at::parallel_for(0, rows, grain(4 * width), [&](int64_t begin, int64_t end) { backward_rows(g, gate, up, dgate, dup, begin, end, width, act); });
}

// gate and up [rows, width], fp32 on the CPU, also narrow views of one tensor; act as Act.
LB_API int lb_gated_activation(Handle gate, Handle up, int64_t act, Handle* out) {
    return guard([&] {
        TORCH_CHECK(is_plain_float(get(gate)) && is_plain_float(get(up)) && get(gate).dim() == 2 && get(up).sizes() == get(gate).sizes(), "a gate ", get(gate).sizes(), " over ", get(up).sizes());
        *out = wrap(GatedActivation::apply(get(gate), get(up), act));
    });
}
