// Where a step's time goes: seconds and calls by part, forward and backward apart. Off unless asked for; then a clock is read twice a kernel.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace lorabuild {

// As ProfilePart in C#. A step's own time, less that of the blocks inside it, is that of `rest`, and its whole time that of `step`.
enum class Part : int { linear, adapter, attention, rope, norm, activation, embedding, loss, optimizer, rest, step, evaluation };
constexpr int kParts = 12;

struct PartTimes {
    std::array<std::atomic<int64_t>, 2 * kParts> nanoseconds{};
    std::array<std::atomic<int64_t>, 2 * kParts> calls{};
};

extern std::atomic<bool> profile_enabled;
extern std::atomic<int> running_steps;
extern PartTimes part_times;

// Counts the time of a block for its part; what a block inside it takes is that one's, not its own. A kernel counts inside a step alone: an evaluation
// counts as a whole, and what runs in neither (checkpoints, loading) not at all.
class Timed {
public:
    Timed(Part part, bool is_backward) {
        if (!profile_enabled.load(std::memory_order_relaxed)) return;
        if (part != Part::step && part != Part::evaluation && !is_in_step()) return;
        part_ = part;
        index_ = static_cast<size_t>(part == Part::step ? Part::rest : part) + (is_backward ? kParts : 0);
        outer_ = current;
        current = this;
        is_counting_ = true;
        if (part == Part::step) running_steps.fetch_add(1, std::memory_order_relaxed);
        start_ = now();
    }

    ~Timed() {
        if (!is_counting_) return;
        const int64_t elapsed = now() - start_;
        count(index_, elapsed - inner_);
        current = outer_;
        if (outer_ != nullptr) outer_->inner_ += elapsed;
        if (part_ != Part::step) return;
        running_steps.fetch_sub(1, std::memory_order_relaxed);
        count(static_cast<size_t>(Part::step), elapsed);
    }

    Timed(const Timed&) = delete;
    Timed& operator=(const Timed&) = delete;

private:
    static int64_t now() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

    static void count(size_t index, int64_t nanoseconds) {
        part_times.nanoseconds[index].fetch_add(nanoseconds, std::memory_order_relaxed);
        part_times.calls[index].fetch_add(1, std::memory_order_relaxed);
    }

    // A thread without a block of its own is libtorch's for a device's backward pass, while the step's waits for it.
    static bool is_in_step() { return current != nullptr ? current->part_ != Part::evaluation : running_steps.load(std::memory_order_relaxed) > 0; }

    static thread_local Timed* current;
    Part part_ = Part::rest;
    size_t index_ = 0;
    bool is_counting_ = false;
    int64_t start_ = 0;
    int64_t inner_ = 0;
    Timed* outer_ = nullptr;
};

}  // namespace lorabuild
