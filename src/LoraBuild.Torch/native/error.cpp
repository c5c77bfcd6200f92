// The error state of a thread, and the few functions of the ABI that are not about a tensor's content.
#include "common.h"

#include <new>
#include <string>

namespace lorabuild {

std::atomic<int64_t> live_tensors{0};

namespace {
thread_local std::string last_error;
thread_local int64_t last_managed_error = 0;

// Keeps libtorch's own sentence and drops the C++ stack below it.
void set_error(const char* text) noexcept {
    try {
        std::string full = text == nullptr ? "unknown error" : text;
        size_t end = full.find("\nException raised from");
        if (end != std::string::npos) full.resize(end);
        last_error = std::move(full);
    } catch (...) {
        last_error.clear();
    }
}
}  // namespace

int record_current_exception() noexcept {
    try {
        throw;
    } catch (const ManagedError& error) {
        last_managed_error = error.id;
        set_error(error.what());
        return kManaged;
    } catch (const c10::Error& error) {
        set_error(error.what_without_backtrace());
    } catch (const std::bad_alloc&) {
        set_error("out of memory");
    } catch (const std::exception& error) {
        set_error(error.what());
    } catch (...) {
        set_error("an unknown C++ exception");
    }
    return kError;
}

}  // namespace lorabuild

// Valid until the next failing call of this thread.
LB_API const char* lb_last_error() {
    return last_error.c_str();
}

LB_API int64_t lb_last_managed_error() { return last_managed_error; }

LB_API void lb_free(void* memory) { std::free(memory); }

LB_API int64_t lb_live_tensors() { return live_tensors.load(std::memory_order_relaxed); }

LB_API void lb_tensor_free(Handle handle) {
    if (handle == nullptr) return;
    // A destructor that fails (a CUDA error at exit) must not cross the ABI; there is nobody to tell.
    guard([&] { delete handle; });
    live_tensors.fetch_sub(1, std::memory_order_relaxed);
}
