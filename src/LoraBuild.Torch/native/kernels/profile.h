// Where a step's time goes: seconds and calls by part, forward and backward apart. Off unless asked for; then a clock is read twice a kernel.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace lorabuild {

// As ProfilePart in C#.
enum class Part : int { linear, adapter, attention, rope, norm, activation, embedding, loss, optimizer, rest };
constexpr int kParts = 10;

struct PartTimes {
    std::array<std::atomic<int64_t>, 2 * kParts> nanoseconds{};
    std::array<std::atomic<int64_t>, 2 * kParts> calls{};
};

extern std::atomic<bool> profile_enabled;
extern PartTimes part_times;

// Counts the time of a block for its part; what a block inside it takes is that one's, not its own.
class Timed {
public:
    Timed(Part part, bool is_backward) {
        if (!profile_enabled.load(std::memory_order_relaxed)) return;
        index_ = static_cast<int>(part) + (is_backward ? kParts : 0);
        outer_ = current;
        current = this;
        start_ = now();
    }

    ~Timed() {
        if (index_ < 0) return;
        const int64_t elapsed = now() - start_;
        part_times.nanoseconds[static_cast<size_t>(index_)].fetch_add(elapsed - inner_, std::memory_order_relaxed);
        part_times.calls[static_cast<size_t>(index_)].fetch_add(1, std::memory_order_relaxed);
        current = outer_;
        if (outer_ != nullptr) outer_->inner_ += elapsed;
    }

    Timed(const Timed&) = delete;
    Timed& operator=(const Timed&) = delete;

private:
    static int64_t now() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

    static thread_local Timed* current;
    int index_ = -1;
    int64_t start_ = 0;
    int64_t inner_ = 0;
    Timed* outer_ = nullptr;
};

}  // namespace lorabuild
