// Matrix products and decompositions. A product whose shapes do not fit fails with both shapes in the text.
#include "common.h"

#include <ATen/ops/einsum.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/outer.h>

#include <tuple>

namespace {
template <typename F>
int guard_product(const char* name, Handle a, Handle b, F&& body) noexcept {
    return guard([&] {
        try {
            body();
        } catch (const c10::Error& error) {
            std::string text = error.what_without_backtrace();
            size_t line = text.find('\n');
            if (line != std::string::npos) text.resize(line);
            TORCH_CHECK(false, name, " of shapes ", get(a).sizes(), " and ", get(b).sizes(), ": ", text);
        }
    });
}
}  // namespace

#define LB_PRODUCT(name) \
    LB_API int lb_##name(Handle a, Handle b, Handle* out) { \
        return guard_product(#name, a, b, [&] { *out = wrap(get(a).name(get(b))); }); \
    }
LB_PRODUCT(matmul)
LB_PRODUCT(mm)
LB_PRODUCT(bmm)
LB_PRODUCT(mv)
LB_PRODUCT(dot)
LB_PRODUCT(outer)

LB_API int lb_addmm(Handle a, Handle b, Handle c, double beta, double alpha, Handle* out) {
    return guard_product("addmm", b, c, [&] { *out = wrap(get(a).addmm(get(b), get(c), beta, alpha)); });
}

LB_API int lb_addmm_(Handle a, Handle b, Handle c, double beta, double alpha) {
    return guard_product("addmm_", b, c, [&] { get(a).addmm_(get(b), get(c), beta, alpha); });
}

LB_API int lb_baddbmm(Handle a, Handle b, Handle c, double beta, double alpha, Handle* out) {
    return guard_product("baddbmm", b, c, [&] { *out = wrap(get(a).baddbmm(get(b), get(c), beta, alpha)); });
}

LB_API int lb_baddbmm_(Handle a, Handle b, Handle c, double beta, double alpha) {
    return guard_product("baddbmm_", b, c, [&] { get(a).baddbmm_(get(b), get(c), beta, alpha); });
}

LB_API int lb_linear(Handle input, Handle weight, Handle bias, Handle* out) {
    return guard_product("linear", input, weight, [&] { *out = wrap(at::linear(get(input), get(weight), maybe(bias))); });
}

LB_API int lb_einsum(const char* equation, const Handle* tensors, int64_t count, Handle* out) {
    return guard([&] { *out = wrap(at::einsum(equation, list(tensors, count))); });
}

LB_API int lb_vector_norm(Handle a, double order, const int64_t* dims, int64_t count, int keep, Handle* out) {
    return guard([&] {
        *out = wrap(count == 0 ? at::linalg_vector_norm(get(a), order, {}, keep != 0)
                               : at::linalg_vector_norm(get(a), order, ints(dims, count), keep != 0));
    });
}

LB_API int lb_svd(Handle a, int full, Handle* u, Handle* s, Handle* vh) {
    return guard([&] {
        auto result = at::linalg_svd(get(a), full != 0);
        *u = wrap(std::get<0>(result));
        *s = wrap(std::get<1>(result));
        *vh = wrap(std::get<2>(result));
    });
}

// 0 reduced, 1 complete, 2 only R.
LB_API int lb_qr(Handle a, int mode, Handle* q, Handle* r) {
    return guard([&] {
        auto result = at::linalg_qr(get(a), mode == 0 ? "reduced" : mode == 1 ? "complete" : "r");
        *q = wrap(std::get<0>(result));
        *r = wrap(std::get<1>(result));
    });
}
