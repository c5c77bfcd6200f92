// What a network is made of: activations, losses, dropout, attention, embedding lookup.
#include "common.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/nll_loss_nd.h>
#include <ATen/ops/one_hot.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/silu.h>
#if TORCH_VERSION_MAJOR >= 2
#include <ATen/ops/scaled_dot_product_attention.h>
#endif

#include <cmath>
#include <limits>

LB_API int lb_silu(Handle a, Handle* out) {
    return guard([&] { *out = wrap(at::silu(get(a))); });
}

LB_API int lb_silu_(Handle a) {
    return guard([&] {
        at::Tensor tensor = get(a);
        at::silu_(tensor);
    });
}

LB_API int lb_gelu(Handle a, Handle* out) {
    return guard([&] { *out = wrap(at::gelu(get(a))); });
}

LB_API int lb_dropout(Handle a, double p, int training, Handle* out) {
    return guard([&] { *out = wrap(at::dropout(get(a), p, training != 0)); });
}

LB_API int lb_dropout_(Handle a, double p, int training) {
    return guard([&] {
        at::Tensor tensor = get(a);
        at::dropout_(tensor, p, training != 0);
    });
}

LB_API int lb_embedding(Handle weight, Handle indices, int64_t padding, Handle* out) {
    return guard([&] { *out = wrap(at::embedding(get(weight), get(indices), padding)); });
}

// reduction: 0 none, 1 mean, 2 sum
LB_API int lb_cross_entropy(Handle input, Handle target, Handle weight, int64_t ignore_index, int64_t reduction, double smoothing, Handle* out) {
    return guard([&] { *out = wrap(at::cross_entropy_loss(get(input), get(target), maybe(weight), reduction, ignore_index, smoothing)); });
}

LB_API int lb_nll_loss(Handle input, Handle target, Handle weight, int64_t reduction, Handle* out) {
    return guard([&] { *out = wrap(at::nll_loss_nd(get(input), get(target), maybe(weight), reduction)); });
}

LB_API int lb_mse_loss(Handle input, Handle target, int64_t reduction, Handle* out) {
    return guard([&] { *out = wrap(at::mse_loss(get(input), get(target), reduction)); });
}

LB_API int lb_layer_norm(Handle input, const int64_t* shape, int64_t count, Handle weight, Handle bias, double eps, Handle* out) {
    return guard([&] { *out = wrap(at::layer_norm(get(input), ints(shape, count), maybe(weight), maybe(bias), eps)); });
}

LB_API int lb_one_hot(Handle a, int64_t classes, Handle* out) {
    return guard([&] { *out = wrap(at::one_hot(get(a), classes)); });
}

// softmax(q kᵀ/√d + mask) v; a bool mask is true where attention is allowed.
LB_API int lb_attention(Handle query, Handle key, Handle value, Handle mask, double p, int causal, Handle* out) {
    return guard([&] {
        TORCH_CHECK(mask == nullptr || causal == 0, "scaled_dot_product_attention: give a mask or is_casual, not both");
#if TORCH_VERSION_MAJOR >= 2
        *out = wrap(at::scaled_dot_product_attention(get(query), get(key), get(value), maybe(mask), p, causal != 0));
#else
        const at::Tensor& q = get(query);
        const at::Tensor& k = get(key);
        at::Tensor scores = at::matmul(q.mul(1.0 / std::sqrt(static_cast<double>(q.size(-1)))), k.transpose(-2, -1));
        constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
        if (causal != 0) {
            at::Tensor later = at::ones({q.size(-2), k.size(-2)}, q.options().dtype(at::kBool)).triu(1);
            scores = scores.masked_fill(later, minus_infinity);
        } else if (mask != nullptr && get(mask).scalar_type() == at::kBool) {
            scores = scores.masked_fill(get(mask).logical_not(), minus_infinity);
        } else if (mask != nullptr) {
            scores = scores.add(get(mask));
        }
        at::Tensor weights = scores.softmax(-1);
        if (p > 0) weights = at::dropout(weights, p, true);
        *out = wrap(at::matmul(weights, get(value)));
#endif
    });
}
