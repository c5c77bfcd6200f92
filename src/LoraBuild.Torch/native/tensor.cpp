// A tensor's properties, its memory, and copies of it to another type or device.
#include "common.h"

#include <c10/core/TensorOptions.h>

// Properties cannot fail for a live tensor, so they are returned as they are.
LB_API int64_t lb_ndim(Handle a) { return get(a).dim(); }
LB_API int64_t lb_numel(Handle a) { return get(a).numel(); }
LB_API int64_t lb_element_size(Handle a) { return static_cast<int64_t>(get(a).element_size()); }
LB_API int lb_dtype(Handle a) { return static_cast<int>(get(a).scalar_type()); }
LB_API int lb_device_type(Handle a) { return static_cast<int>(get(a).device().type()); }
LB_API int lb_device_index(Handle a) { return static_cast<int>(get(a).device().index()); }
LB_API int lb_requires_grad(Handle a) { return get(a).requires_grad() ? 1 : 0; }
LB_API int lb_is_leaf(Handle a) { return get(a).is_leaf() ? 1 : 0; }
LB_API int lb_is_contiguous(Handle a) { return get(a).is_contiguous() ? 1 : 0; }
LB_API int64_t lb_storage_offset(Handle a) { return get(a).storage_offset(); }
LB_API void* lb_same_impl(Handle a) { return get(a).unsafeGetTensorImpl(); }

// Fills at most `capacity` sizes and returns the number of dimensions.
LB_API int64_t lb_sizes(Handle a, int64_t* sizes, int64_t capacity) {
    at::IntArrayRef all = get(a).sizes();
    int64_t count = static_cast<int64_t>(all.size());
    for (int64_t i = 0; i < count && i < capacity; i++) sizes[i] = all[static_cast<size_t>(i)];
    return count;
}

LB_API int64_t lb_strides(Handle a, int64_t* strides, int64_t capacity) {
    at::IntArrayRef all = get(a).strides();
    int64_t count = static_cast<int64_t>(all.size());
    for (int64_t i = 0; i < count && i < capacity; i++) strides[i] = all[static_cast<size_t>(i)];
    return count;
}

LB_API int lb_data_ptr(Handle a, void** out) {
    return guard([&] { *out = get(a).data_ptr(); });
}

LB_API int lb_item_double(Handle a, double* out) {
    return guard([&] { *out = get(a).item().toDouble(); });
}

LB_API int lb_item_int64(Handle a, int64_t* out) {
    return guard([&] {
        at::Scalar value = get(a).item();
        *out = value.isBoolean() ? (value.toBool() ? 1 : 0) : value.toLong();
    });
}

LB_API int lb_set_requires_grad(Handle a, int value) {
    return guard([&] { get(a).requires_grad_(value != 0); });
}

LB_API int lb_grad(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).grad()); });
}

LB_API int lb_set_grad(Handle a, Handle grad) {
    return guard([&] { get(a).mutable_grad() = grad == nullptr ? at::Tensor() : get(grad); });
}

LB_API int lb_retain_grad(Handle a) {
    return guard([&] { get(a).retain_grad(); });
}

LB_API int lb_share(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a)); });
}

// A new tensor over the same memory, of the same history: `at::alias`.
LB_API int lb_alias(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).alias()); });
}

LB_API int lb_detach(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).detach()); });
}

LB_API int lb_detach_(Handle a) {
    return guard([&] { get(a).detach_(); });
}

LB_API int lb_clone(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).clone()); });
}

LB_API int lb_contiguous(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).contiguous()); });
}

LB_API int lb_pin_memory(Handle a, Handle* out) {
    return guard([&] { *out = wrap(get(a).pin_memory()); });
}

// A negative dtype keeps the type, a negative device type the device.
LB_API int lb_to(Handle a, int type, int device_type, int device_index, int non_blocking, int copy, Handle* out) {
    return guard([&] {
        const at::Tensor& tensor = get(a);
        at::TensorOptions target = at::TensorOptions()
            .dtype(type < 0 ? tensor.scalar_type() : dtype(type))
            .device(device_type < 0 ? tensor.device() : device(device_type, device_index));
        *out = wrap(tensor.to(target, non_blocking != 0, copy != 0));
    });
}

LB_API int lb_copy_(Handle a, Handle source, int non_blocking) {
    return guard([&] { get(a).copy_(get(source), non_blocking != 0); });
}

LB_API int lb_set_(Handle a, Handle source) {
    return guard([&] { get(a).set_(get(source)); });
}
