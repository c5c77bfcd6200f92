// The counters of profile.h and their C functions.
#include "kernel.h"

namespace lorabuild {

std::atomic<bool> profile_enabled{false};
std::atomic<int> running_steps{0};
PartTimes part_times;
thread_local Timed* Timed::current = nullptr;

}  // namespace lorabuild

// Switches counting on or off; switching on starts from zero.
LB_API void lb_profile_enable(int enabled) {
    if (enabled != 0) {
        for (auto& value : part_times.nanoseconds) value.store(0);
        for (auto& value : part_times.calls) value.store(0);
    }
    profile_enabled.store(enabled != 0);
}

// What is not a kernel is measured from C#: a beginning, and its end on the same thread, last begun first ended.
LB_API void* lb_profile_begin(int part) { return new Timed(static_cast<Part>(part), false); }

LB_API void lb_profile_end(void* timed) { delete static_cast<Timed*>(timed); }

// Fills arrays of `count` numbers: the parts in their order forward, then backward.
LB_API void lb_profile_read(int64_t* nanoseconds, int64_t* calls, int count) {
    for (int i = 0; i < count && i < 2 * kParts; i++) {
        nanoseconds[i] = part_times.nanoseconds[static_cast<size_t>(i)].load();
        calls[i] = part_times.calls[static_cast<size_t>(i)].load();
    }
}
