// New tensors: of a constant, of a sequence, from memory and from a mapped file.
#include "common.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/from_file.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tril_indices.h>
#include <ATen/ops/triu_indices.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cstring>

#define LB_OPTIONS int type, int device_type, int device_index, int requires_grad
#define LB_OPT options(type, device_type, device_index)

LB_API int lb_zeros(const int64_t* sizes, int64_t count, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::zeros(ints(sizes, count), LB_OPT), requires_grad); });
}

LB_API int lb_ones(const int64_t* sizes, int64_t count, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::ones(ints(sizes, count), LB_OPT), requires_grad); });
}

LB_API int lb_empty(const int64_t* sizes, int64_t count, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::empty(ints(sizes, count), LB_OPT), requires_grad); });
}

LB_API int lb_full(const int64_t* sizes, int64_t count, Number value, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::full(ints(sizes, count), scalar(value), LB_OPT), requires_grad); });
}

LB_API int lb_arange(Number start, Number stop, Number step, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::arange(scalar(start), scalar(stop), scalar(step), LB_OPT), requires_grad); });
}

LB_API int lb_linspace(double start, double end, int64_t steps, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::linspace(start, end, steps, LB_OPT), requires_grad); });
}

LB_API int lb_eye(int64_t rows, int64_t columns, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::eye(rows, columns, LB_OPT), requires_grad); });
}

// A copy of `bytes` of the caller's memory, laid out row by row.
LB_API int lb_from_memory(const void* data, int64_t bytes, const int64_t* sizes, int64_t count, int type, Handle* out) {
    return guard([&] {
        at::Tensor tensor = at::empty(ints(sizes, count), at::TensorOptions().dtype(dtype(type)));
        TORCH_CHECK(static_cast<int64_t>(tensor.nbytes()) == bytes, "the shape ", tensor.sizes(), " needs ", tensor.nbytes(), " bytes, the array has ", bytes);
        if (bytes > 0) std::memcpy(tensor.data_ptr(), data, static_cast<size_t>(bytes));
        *out = wrap(std::move(tensor));
    });
}

// Not shared: the pages are private to this process, and written ones are copied (MAP_PRIVATE).
LB_API int lb_from_file(const char* path, int shared, int64_t size, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::from_file(path, shared != 0, size, LB_OPT), requires_grad); });
}

LB_API int lb_full_like(Handle a, Number value, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::full_like(get(a), scalar(value), LB_OPT), requires_grad); });
}

LB_API int lb_zeros_like(Handle a, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::zeros_like(get(a), LB_OPT), requires_grad); });
}

LB_API int lb_empty_like(Handle a, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::empty_like(get(a), LB_OPT), requires_grad); });
}
