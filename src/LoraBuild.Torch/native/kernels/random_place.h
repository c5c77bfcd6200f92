// A random number for each place of a sequence, on a processor and on a device alike.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define LB_ANYWHERE __host__ __device__ inline
#elif defined(__GNUC__)
#define LB_ANYWHERE inline __attribute__((always_inline))
#else
#define LB_ANYWHERE inline
#endif

namespace lorabuild {

// SplitMix64 (Steele et al. 2014): number `place` of the sequence that starts at `seed`.
LB_ANYWHERE uint64_t split_mix(uint64_t seed, uint64_t place) {
    uint64_t z = seed + (place + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

// Bits of a random number that decide whether an element is kept. Two elements share a number: the even place has its low half.
constexpr int kKeepBits = 24;

LB_ANYWHERE uint32_t keep_bits(uint32_t half) { return half >> (32 - kKeepBits); }

// Elements whose bits are below are kept.
inline uint32_t keep_threshold(double keep) { return static_cast<uint32_t>(keep * (1 << kKeepBits) + 0.5); }

}  // namespace lorabuild
