// Views, joining and splitting: operations that move or rename elements without computing.
#include "common.h"

#include <ATen/ops/broadcast_tensors.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

LB_API int lb_view(Handle a, const int64_t* sizes, int64_t count, Handle* out) {
    return guard([&] { *out = wrap(get(a).view(ints(sizes, count))); });
}

LB_API int lb_reshape(Handle a, const int64_t* sizes, int64_t count, Handle* out) {
    return guard([&] { *out = wrap(get(a).reshape(ints(sizes, count))); });
}

LB_API int lb_expand(Handle a, const int64_t* sizes, int64_t count, int is_implicit, Handle* out) {
    return guard([&] { *out = wrap(get(a).expand(ints(sizes, count), is_implicit != 0)); });
}

LB_API int lb_permute(Handle a, const int64_t* dims, int64_t count, Handle* out) {
    return guard([&] { *out = wrap(get(a).permute(ints(dims, count))); });
}

LB_API int lb_transpose(Handle a, int64_t first, int64_t second, Handle* out) {
    return guard([&] { *out = wrap(get(a).transpose(first, second)); });
}

LB_API int lb_t(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).t()); });
}

LB_API int lb_squeeze(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).squeeze()); });
}

LB_API int lb_squeeze_dim(Handle a, int64_t dim, Handle* out) {
    return guard([&] { *out = wrap(get(a).squeeze(dim)); });
}

LB_API int lb_unsqueeze(Handle a, int64_t dim, Handle* out) {
    return guard([&] { *out = wrap(get(a).unsqueeze(dim)); });
}

LB_API int lb_flatten(Handle a, int64_t start, int64_t end, Handle* out) {
    return guard([&] { *out = wrap(get(a).flatten(start, end)); });
}

LB_API int lb_unflatten(Handle a, int64_t dim, const int64_t* sizes, int64_t count, Handle* out) {
    return guard([&] {
        const at::Tensor& tensor = get(a);
        int64_t at_dim = dim < 0 ? dim + tensor.dim() : dim;
        std::vector<int64_t> shape = tensor.sizes().vec();
        TORCH_CHECK(at_dim >= 0 && at_dim < tensor.dim(), "unflatten: dimension ", dim, " of a tensor of shape ", tensor.sizes());
        shape.erase(shape.begin() + at_dim);
        shape.insert(shape.begin() + at_dim, sizes, sizes + count);
        *out = wrap(tensor.reshape(shape));
    });
}

LB_API int lb_narrow(Handle a, int64_t dim, int64_t start, int64_t length, Handle* out) {
    return guard([&] { *out = wrap(get(a).narrow(dim, start, length)); });
}

LB_API int lb_slice(Handle a, int64_t dim, int64_t start, int64_t end, int64_t step, Handle* out) {
    return guard([&] { *out = wrap(get(a).slice(dim, start, end, step)); });
}

LB_API int lb_select(Handle a, int64_t dim, int64_t index, Handle* out) {
    return guard([&] { *out = wrap(get(a).select(dim, index)); });
}

LB_API int lb_repeat(Handle a, const int64_t* sizes, int64_t count, Handle* out) {
    return guard([&] { *out = wrap(get(a).repeat(ints(sizes, count))); });
}

LB_API int lb_repeat_interleave(Handle a, int64_t repeats, const int64_t* dim, Handle* out) {
    return guard([&] { *out = wrap(get(a).repeat_interleave(repeats, maybe_int(dim))); });
}

LB_API int lb_repeat_interleave_tensor(Handle a, Handle repeats, const int64_t* dim, const int64_t* size, Handle* out) {
    return guard([&] { *out = wrap(get(a).repeat_interleave(get(repeats), maybe_int(dim), maybe_int(size))); });
}

LB_API int lb_roll(Handle a, const int64_t* shifts, int64_t count, const int64_t* dims, int64_t dim_count, Handle* out) {
    return guard([&] { *out = wrap(get(a).roll(ints(shifts, count), ints(dims, dim_count))); });
}

LB_API int lb_flip(Handle a, const int64_t* dims, int64_t count, Handle* out) {
    return guard([&] { *out = wrap(get(a).flip(ints(dims, count))); });
}

LB_API int lb_triu(Handle a, int64_t diagonal, Handle* out) {
    return guard([&] { *out = wrap(get(a).triu(diagonal)); });
}

LB_API int lb_tril(Handle a, int64_t diagonal, Handle* out) {
    return guard([&] { *out = wrap(get(a).tril(diagonal)); });
}

LB_API int lb_diag(Handle a, int64_t diagonal, Handle* out) {
    return guard([&] { *out = wrap(get(a).diag(diagonal)); });
}

LB_API int lb_cat(const Handle* tensors, int64_t count, int64_t dim, Handle* out) {
    return guard([&] { *out = wrap(at::cat(list(tensors, count), dim)); });
}

LB_API int lb_stack(const Handle* tensors, int64_t count, int64_t dim, Handle* out) {
    return guard([&] { *out = wrap(at::stack(list(tensors, count), dim)); });
}

LB_API int lb_split(Handle a, int64_t size, int64_t dim, Handle** out, int64_t* count) {
    return guard([&] { give(get(a).split(size, dim), out, count); });
}

LB_API int lb_split_sizes(Handle a, const int64_t* sizes, int64_t size_count, int64_t dim, Handle** out, int64_t* count) {
    return guard([&] { give(get(a).split_with_sizes(ints(sizes, size_count), dim), out, count); });
}

LB_API int lb_chunk(Handle a, int64_t chunks, int64_t dim, Handle** out, int64_t* count) {
    return guard([&] { give(get(a).chunk(chunks, dim), out, count); });
}

LB_API int lb_unbind(Handle a, int64_t dim, Handle** out, int64_t* count) {
    return guard([&] { give(get(a).unbind(dim), out, count); });
}
