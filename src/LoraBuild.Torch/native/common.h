// What every native file shares: the handle type, the error guard that no exception passes, and small conversions.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/Generator.h>
#include <c10/core/ScalarType.h>
#include <torch/version.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <utility>
#include <vector>

#define LB_API extern "C" __attribute__((visibility("default")))

namespace lorabuild {

// c10::optional became std::optional in 2.x and then left.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
template <typename T>
using Optional = std::optional<T>;
#else
template <typename T>
using Optional = c10::optional<T>;
#endif

// What C# holds of a tensor. Null stands for "no tensor".
using Handle = at::Tensor*;

// Status codes of the ABI.
constexpr int kOk = 0;
constexpr int kError = 1;    // lb_last_error() has the text
constexpr int kManaged = 2;  // a C# callback threw; lb_last_managed_error() names the exception

// A number from C#, passed by value.
struct Number {
    int64_t kind;  // 0 double, 1 int64, 2 bool
    union {
        double real;
        int64_t integer;
    };
};

// Thrown in a callback's place when C# reported an exception; the autograd engine carries it back to the caller of backward.
struct ManagedError final : std::exception {
    explicit ManagedError(int64_t id) : id(id) {}
    const char* what() const noexcept override { return "a managed callback failed"; }
    int64_t id;
};

extern std::atomic<int64_t> live_tensors;

// Records the exception in flight for this thread and returns its status.
int record_current_exception() noexcept;

template <typename F>
int guard(F&& body) noexcept {
    try {
        body();
        return kOk;
    } catch (...) {
        return record_current_exception();
    }
}

inline Handle wrap(at::Tensor tensor) {
    if (!tensor.defined()) return nullptr;
    Handle handle = new at::Tensor(std::move(tensor));
    live_tensors.fetch_add(1, std::memory_order_relaxed);
    return handle;
}

inline const at::Tensor& get(Handle handle) { return *handle; }

inline Optional<at::Tensor> maybe(Handle handle) {
    return handle == nullptr ? Optional<at::Tensor>() : Optional<at::Tensor>(*handle);
}

inline at::Scalar scalar(const Number& number) {
    switch (number.kind) {
        case 0: return at::Scalar(number.real);
        case 1: return at::Scalar(number.integer);
        default: return at::Scalar(number.integer != 0);
    }
}

inline at::IntArrayRef ints(const int64_t* values, int64_t count) { return at::IntArrayRef(values, static_cast<size_t>(count)); }

inline at::ScalarType dtype(int value) { return static_cast<at::ScalarType>(static_cast<int8_t>(value)); }

// A negative number stands for "not given".
inline Optional<at::ScalarType> maybe_dtype(int value) {
    return value < 0 ? Optional<at::ScalarType>() : Optional<at::ScalarType>(dtype(value));
}

inline Optional<int64_t> maybe_int(const int64_t* value) {
    return value == nullptr ? Optional<int64_t>() : Optional<int64_t>(*value);
}

inline Optional<at::Generator> maybe_generator(at::Generator* generator) {
    return generator == nullptr ? Optional<at::Generator>() : Optional<at::Generator>(*generator);
}

inline at::Device device(int type, int index) { return at::Device(static_cast<at::DeviceType>(type), static_cast<at::DeviceIndex>(index)); }

inline at::TensorOptions options(int type, int device_type, int device_index) {
    return at::TensorOptions().dtype(dtype(type)).device(device(device_type, device_index));
}

// ATen's creation functions ignore requires_grad among the options (it is torch:: that looks at it), so it is set afterwards.
inline Handle wrap_leaf(at::Tensor tensor, int requires_grad) {
    if (requires_grad != 0) tensor.requires_grad_(true);
    return wrap(std::move(tensor));
}

inline std::vector<at::Tensor> list(const Handle* handles, int64_t count) {
    std::vector<at::Tensor> tensors;
    tensors.reserve(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; i++) tensors.push_back(handles[i] == nullptr ? at::Tensor() : *handles[i]);
    return tensors;
}

// Hands a list of tensors over: the array is freed by lb_free, the tensors by their new owners.
inline void give(const std::vector<at::Tensor>& tensors, Handle** out, int64_t* count) {
    Handle* array = static_cast<Handle*>(std::malloc(sizeof(Handle) * (tensors.empty() ? 1 : tensors.size())));
    if (array == nullptr) throw std::bad_alloc();
    for (size_t i = 0; i < tensors.size(); i++) array[i] = wrap(tensors[i]);
    *out = array;
    *count = static_cast<int64_t>(tensors.size());
}

}  // namespace lorabuild

using namespace lorabuild;
