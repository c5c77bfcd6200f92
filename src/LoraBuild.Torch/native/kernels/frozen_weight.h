// A frozen matrix W [out, in] that is held compressed or in a narrow type, and how pieces of it become fp32.
#pragma once

#include "kernel.h"

#include <vector>

namespace lorabuild {

// As FrozenKind in C#.
enum class Kind : int64_t { four_bit, int8_rows, bfloat16, float16 };

// As FrozenWeightInfo in C#.
struct FrozenWeightInfo {
    int64_t kind;
    int64_t rows;
    int64_t columns;
    int64_t block_size;         // elements that share a scale; four bits only
    int64_t nested_block_size;  // scales that share a scale; 0: the scales are plain
    float offset;               // of nested scales
    int32_t rounds_to_bf16;     // products are computed with operands and result rounded to bf16
};

struct FrozenWeight final : torch::CustomClassHolder {
    FrozenWeightInfo info;
    // Hold the memory that the pointers below lead to.
    at::Tensor codes, scales, nested_scales, nested_map;
    std::vector<float> table;  // 16
    std::vector<float> pairs;  // 256 × 2

    Kind kind() const { return static_cast<Kind>(info.kind); }

    // What narrow types are made of, one number an element.
    const uint16_t* stored() const { return static_cast<const uint16_t*>(codes.data_ptr()); }

    // Elements [first, first + count) of one row, rounded to bf16 where products are.
    void widen(int64_t row, int64_t first, int64_t count, float* out) const;

    // Whole rows [first, first + count), by all threads; never rounded.
    void widen_rows(int64_t first, int64_t count, float* out) const;

private:
    float scale(int64_t block) const;
    void decode(int64_t row, int64_t first, int64_t count, float* out) const;
    void decode_four_bit(int64_t first, int64_t end, float* out) const;
};

using WeightPointer = c10::intrusive_ptr<FrozenWeight>;

// To the nearest bf16, ties to even, kept as fp32; NaN stay NaN.
void round_to_bf16(const float* in, float* out, int64_t count);

}  // namespace lorabuild
