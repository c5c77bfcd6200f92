// Operations over one or several dimensions: sums, extrema, sorting, norms, softmax.
#include "common.h"

#include <ATen/ops/norm.h>

#include <tuple>

namespace {
void give_pair(std::tuple<at::Tensor, at::Tensor> pair, Handle* first, Handle* second) {
    *first = wrap(std::move(std::get<0>(pair)));
    *second = wrap(std::move(std::get<1>(pair)));
}
}  // namespace

#define LB_REDUCE(name) \
    LB_API int lb_##name(Handle a, Handle* out) { return guard([&] { *out = wrap(get(a).name()); }); }
LB_REDUCE(max)
LB_REDUCE(min)
LB_REDUCE(argmax)
LB_REDUCE(argmin)
LB_REDUCE(any)
LB_REDUCE(all)
LB_REDUCE(median)

LB_API int lb_sum(Handle a, int type, Handle* out) {
    return guard([&] { *out = wrap(get(a).sum(maybe_dtype(type))); });
}

LB_API int lb_sum_dims(Handle a, const int64_t* dims, int64_t count, int keep, int type, Handle* out) {
    return guard([&] { *out = wrap(get(a).sum(ints(dims, count), keep != 0, maybe_dtype(type))); });
}

LB_API int lb_mean(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).mean()); });
}

LB_API int lb_mean_dims(Handle a, const int64_t* dims, int64_t count, int keep, int type, Handle* out) {
    return guard([&] { *out = wrap(get(a).mean(ints(dims, count), keep != 0, maybe_dtype(type))); });
}

LB_API int lb_prod(Handle a, int type, Handle* out) {
    return guard([&] { *out = wrap(get(a).prod(maybe_dtype(type))); });
}

LB_API int lb_prod_dim(Handle a, int64_t dim, int keep, int type, Handle* out) {
    return guard([&] { *out = wrap(get(a).prod(dim, keep != 0, maybe_dtype(type))); });
}

LB_API int lb_var(Handle a, int unbiased, Handle* out) {
    return guard([&] { *out = wrap(get(a).var(unbiased != 0)); });
}

LB_API int lb_var_dims(Handle a, const int64_t* dims, int64_t count, int unbiased, int keep, Handle* out) {
    return guard([&] { *out = wrap(get(a).var(ints(dims, count), unbiased != 0, keep != 0)); });
}

LB_API int lb_std(Handle a, int unbiased, Handle* out) {
    return guard([&] { *out = wrap(get(a).std(unbiased != 0)); });
}

LB_API int lb_std_dims(Handle a, const int64_t* dims, int64_t count, int unbiased, int keep, Handle* out) {
    return guard([&] { *out = wrap(get(a).std(ints(dims, count), unbiased != 0, keep != 0)); });
}

LB_API int lb_max_dim(Handle a, int64_t dim, int keep, Handle* values, Handle* indices) {
    return guard([&] { give_pair(get(a).max(dim, keep != 0), values, indices); });
}

LB_API int lb_min_dim(Handle a, int64_t dim, int keep, Handle* values, Handle* indices) {
    return guard([&] { give_pair(get(a).min(dim, keep != 0), values, indices); });
}

LB_API int lb_argmax_dim(Handle a, int64_t dim, int keep, Handle* out) {
    return guard([&] { *out = wrap(get(a).argmax(dim, keep != 0)); });
}

LB_API int lb_argmin_dim(Handle a, int64_t dim, int keep, Handle* out) {
    return guard([&] { *out = wrap(get(a).argmin(dim, keep != 0)); });
}

LB_API int lb_amax(Handle a, const int64_t* dims, int64_t count, int keep, Handle* out) {
    return guard([&] { *out = wrap(get(a).amax(ints(dims, count), keep != 0)); });
}

LB_API int lb_amin(Handle a, const int64_t* dims, int64_t count, int keep, Handle* out) {
    return guard([&] { *out = wrap(get(a).amin(ints(dims, count), keep != 0)); });
}

LB_API int lb_any_dim(Handle a, int64_t dim, int keep, Handle* out) {
    return guard([&] { *out = wrap(get(a).any(dim, keep != 0)); });
}

LB_API int lb_all_dim(Handle a, int64_t dim, int keep, Handle* out) {
    return guard([&] { *out = wrap(get(a).all(dim, keep != 0)); });
}

LB_API int lb_cumsum(Handle a, int64_t dim, int type, Handle* out) {
    return guard([&] { *out = wrap(get(a).cumsum(dim, maybe_dtype(type))); });
}

LB_API int lb_logsumexp(Handle a, int64_t dim, int keep, Handle* out) {
    return guard([&] { *out = wrap(get(a).logsumexp(at::IntArrayRef(dim), keep != 0)); });
}

LB_API int lb_softmax(Handle a, int64_t dim, int type, Handle* out) {
    return guard([&] { *out = wrap(get(a).softmax(dim, maybe_dtype(type))); });
}

LB_API int lb_log_softmax(Handle a, int64_t dim, int type, Handle* out) {
    return guard([&] { *out = wrap(get(a).log_softmax(dim, maybe_dtype(type))); });
}

LB_API int lb_sort(Handle a, int64_t dim, int descending, int stable, Handle* values, Handle* indices) {
    return guard([&] { give_pair(get(a).sort(Optional<bool>(stable != 0), dim, descending != 0), values, indices); });
}

LB_API int lb_argsort(Handle a, int64_t dim, int descending, Handle* out) {
    return guard([&] { *out = wrap(get(a).argsort(dim, descending != 0)); });
}

LB_API int lb_topk(Handle a, int64_t k, int64_t dim, int largest, int sorted, Handle* values, Handle* indices) {
    return guard([&] { give_pair(get(a).topk(k, dim, largest != 0, sorted != 0), values, indices); });
}

LB_API int lb_norm(Handle a, double p, Handle* out) {
    return guard([&] { *out = wrap(get(a).norm(at::Scalar(p))); });
}

LB_API int lb_norm_dim(Handle a, int64_t dim, int keep, double p, Handle* out) {
    return guard([&] { *out = wrap(at::norm(get(a), Optional<at::Scalar>(at::Scalar(p)), at::IntArrayRef(dim), keep != 0)); });
}

LB_API int lb_count_nonzero(Handle a, const int64_t* dims, int64_t count, Handle* out) {
    return guard([&] { *out = wrap(count == 0 ? get(a).count_nonzero() : get(a).count_nonzero(ints(dims, count))); });
}

LB_API int lb_bincount(Handle a, Handle weights, int64_t minimum, Handle* out) {
    return guard([&] { *out = wrap(get(a).bincount(maybe(weights), minimum)); });
}

LB_API int lb_allclose(Handle a, Handle b, double rtol, double atol, int equal_nan, int* out) {
    return guard([&] { *out = get(a).allclose(get(b), rtol, atol, equal_nan != 0) ? 1 : 0; });
}

LB_API int lb_isclose(Handle a, Handle b, double rtol, double atol, int equal_nan, Handle* out) {
    return guard([&] { *out = wrap(get(a).isclose(get(b), rtol, atol, equal_nan != 0)); });
}

LB_API int lb_equal(Handle a, Handle b, int* out) {
    return guard([&] { *out = get(a).equal(get(b)) ? 1 : 0; });
}
