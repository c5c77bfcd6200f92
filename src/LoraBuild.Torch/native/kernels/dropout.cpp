// Dropout from a counter (see dropout.h), two elements from each 64-bit number.
#include "dropout.h"
#include "random_place.h"

#include <algorithm>
#include <cstring>

namespace {

struct Rule {
    uint32_t threshold;
    float factor;
};

// Numbers drawn at once; they stay in the first-level cache.
constexpr int64_t kNumbers = 256;

template <bool Adds>
LB_INLINE void drop_elements(uint64_t seed, uint64_t place, int64_t count, Rule rule, const float* x, float* out) {
    uint64_t numbers[kNumbers];
    uint32_t halves[2 * kNumbers];
    while (count > 0) {
        const auto odd = static_cast<int64_t>(place & 1);
        const int64_t taken = std::min(count, 2 * kNumbers - odd), drawn = (taken + odd + 1) / 2;
        const uint64_t first = place >> 1;
        for (int64_t i = 0; i < drawn; i++) numbers[i] = lorabuild::split_mix(seed, first + static_cast<uint64_t>(i));
        std::memcpy(halves, numbers, static_cast<size_t>(drawn) * sizeof(uint64_t));  // the low half lies first
        const uint32_t* of_first = halves + odd;
        for (int64_t i = 0; i < taken; i++) {
            const float kept = lorabuild::keep_bits(of_first[i]) < rule.threshold ? x[i] * rule.factor : 0.0f;
            out[i] = Adds ? out[i] + kept : kept;
        }
        place += static_cast<uint64_t>(taken);
        x += taken;
        out += taken;
        count -= taken;
    }
}

LB_CLONES void drop_run(uint64_t seed, uint64_t place, int64_t count, Rule rule, const float* x, float* out) { drop_elements<false>(seed, place, count, rule, x, out); }

LB_CLONES void add_dropped_run(uint64_t seed, uint64_t place, int64_t count, Rule rule, const float* x, float* out) { drop_elements<true>(seed, place, count, rule, x, out); }

template <typename Run>
void each_run(const lorabuild::Dropout& dropout, const float* x, float* out, const Run& run) {
    const Rule rule{lorabuild::keep_threshold(dropout.keep), static_cast<float>(1.0 / dropout.keep)};
    int64_t offset = 0;
    for (const lorabuild::SeededRun& part : dropout.runs) {
        at::parallel_for(0, part.count, 1 << 14, [&, offset](int64_t begin, int64_t end) {
            run(static_cast<uint64_t>(part.seed), static_cast<uint64_t>(part.first + begin), end - begin, rule, x + offset + begin, out + offset + begin);
        });
        offset += part.count;
    }
}

}  // namespace

void lorabuild::drop(const Dropout& dropout, const float* x, float* out) { each_run(dropout, x, out, drop_run); }

void lorabuild::add_dropped(const Dropout& dropout, const float* x, float* out) { each_run(dropout, x, out, add_dropped_run); }
