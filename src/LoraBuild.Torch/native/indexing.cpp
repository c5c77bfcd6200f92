// Reading and writing elements by index tensors and masks.
#include "common.h"

#include <ATen/ops/searchsorted.h>
#include <ATen/core/List.h>

LB_API int lb_index_select(Handle a, int64_t dim, Handle index, Handle* out) {
    return guard([&] { *out = wrap(get(a).index_select(dim, get(index))); });
}

LB_API int lb_gather(Handle a, int64_t dim, Handle index, Handle* out) {
    return guard([&] { *out = wrap(get(a).gather(dim, get(index))); });
}

LB_API int lb_scatter(Handle a, int64_t dim, Handle index, Handle source, Handle* out) {
    return guard([&] { *out = wrap(get(a).scatter(dim, get(index), get(source))); });
}

LB_API int lb_scatter_(Handle a, int64_t dim, Handle index, Handle source) {
    return guard([&] { get(a).scatter_(dim, get(index), get(source)); });
}

LB_API int lb_scatter_add(Handle a, int64_t dim, Handle index, Handle source, Handle* out) {
    return guard([&] { *out = wrap(get(a).scatter_add(dim, get(index), get(source))); });
}

LB_API int lb_scatter_add_(Handle a, int64_t dim, Handle index, Handle source) {
    return guard([&] { get(a).scatter_add_(dim, get(index), get(source)); });
}

LB_API int lb_index_add(Handle a, int64_t dim, Handle index, Handle source, Number alpha, Handle* out) {
    return guard([&] { *out = wrap(get(a).index_add(dim, get(index), get(source), scalar(alpha))); });
}

LB_API int lb_index_add_(Handle a, int64_t dim, Handle index, Handle source, Number alpha) {
    return guard([&] { get(a).index_add_(dim, get(index), get(source), scalar(alpha)); });
}

LB_API int lb_index_copy(Handle a, int64_t dim, Handle index, Handle source, Handle* out) {
    return guard([&] { *out = wrap(get(a).index_copy(dim, get(index), get(source))); });
}

LB_API int lb_index_copy_(Handle a, int64_t dim, Handle index, Handle source) {
    return guard([&] { get(a).index_copy_(dim, get(index), get(source)); });
}

LB_API int lb_index_fill_(Handle a, int64_t dim, Handle index, Number value) {
    return guard([&] { get(a).index_fill_(dim, get(index), scalar(value)); });
}

LB_API int lb_masked_select(Handle a, Handle mask, Handle* out) {
    return guard([&] { *out = wrap(get(a).masked_select(get(mask))); });
}

LB_API int lb_nonzero(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).nonzero()); });
}

LB_API int lb_take(Handle a, Handle index, Handle* out) {
    return guard([&] { *out = wrap(get(a).take(get(index))); });
}

LB_API int lb_searchsorted(Handle sorted, Handle values, int out_int32, int right, Handle* out) {
    return guard([&] { *out = wrap(at::searchsorted(get(sorted), get(values), out_int32 != 0, right != 0)); });
}

namespace {
// A null entry takes the whole dimension.
c10::List<Optional<at::Tensor>> index_list(const Handle* indices, int64_t count) {
    c10::List<Optional<at::Tensor>> result;
    result.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; i++) result.push_back(maybe(indices[i]));
    return result;
}
}  // namespace

LB_API int lb_index(Handle a, const Handle* indices, int64_t count, Handle* out) {
    return guard([&] { *out = wrap(get(a).index(index_list(indices, count))); });
}

LB_API int lb_index_put_(Handle a, const Handle* indices, int64_t count, Handle value, int accumulate) {
    return guard([&] { get(a).index_put_(index_list(indices, count), get(value), accumulate != 0); });
}
