// From the codes of a frozen weight to fp32, for four bits (NF4, FP4), int8 by row, bf16 and fp16.
#include "frozen_weight.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace {

constexpr float kOneOver127 = 7.874015718698502e-3f;

// Two codes stand in a byte, so a table of 256 pairs decodes both at once.
void decode_pairs(const uint8_t* codes, const float* pairs, float scale, float* out, int64_t bytes) {
    for (int64_t i = 0; i < bytes; i++) {
        const float* pair = pairs + 2 * static_cast<int64_t>(codes[i]);
        out[2 * i] = pair[0] * scale;
        out[2 * i + 1] = pair[1] * scale;
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
// Compilers make gathers of a table's look-up; sixteen values fit one register, and two with AVX2.
__attribute__((target("avx512f,avx512bw,avx512vl"))) int64_t decode_avx512(const uint8_t* codes, const float* table, float scale, float* out, int64_t bytes) {
    const __mmask16 all = 0xffff; // g++ 12 warns of the unmasked forms
    const __m512 values = _mm512_mul_ps(_mm512_loadu_ps(table), _mm512_set1_ps(scale));
    const __m128i low_half = _mm_set1_epi8(15);
    int64_t i = 0;
    for (; i + 16 <= bytes; i += 16) {
        const __m128i two = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + i));
        const __m128i first = _mm_and_si128(_mm_srli_epi16(two, 4), low_half), second = _mm_and_si128(two, low_half);
        _mm512_storeu_ps(out + 2 * i, _mm512_maskz_permutexvar_ps(all, _mm512_maskz_cvtepu8_epi32(all, _mm_unpacklo_epi8(first, second)), values));
        _mm512_storeu_ps(out + 2 * i + 16, _mm512_maskz_permutexvar_ps(all, _mm512_maskz_cvtepu8_epi32(all, _mm_unpackhi_epi8(first, second)), values));
    }
    return i;
}

__attribute__((target("avx2"))) __m256 look_up_avx2(__m128i codes, __m256 low, __m256 high) {
    const __m256i index = _mm256_cvtepu8_epi32(codes);
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index), _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}

__attribute__((target("avx2"))) int64_t decode_avx2(const uint8_t* codes, const float* table, float scale, float* out, int64_t bytes) {
    const __m256 low = _mm256_mul_ps(_mm256_loadu_ps(table), _mm256_set1_ps(scale)), high = _mm256_mul_ps(_mm256_loadu_ps(table + 8), _mm256_set1_ps(scale));
    const __m128i low_half = _mm_set1_epi8(15);
    int64_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        const __m128i two = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i));
        const __m128i one = _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(two, 4), low_half), _mm_and_si128(two, low_half));
        _mm256_storeu_ps(out + 2 * i, look_up_avx2(one, low, high));
        _mm256_storeu_ps(out + 2 * i + 8, look_up_avx2(_mm_srli_si128(one, 8), low, high));
    }
    return i;
}

// The bytes that were decoded; what is left goes through the pairs.
int64_t decode_wide(const uint8_t* codes, const float* table, float scale, float* out, int64_t bytes) {
    const int level = processor_level();
    return level >= 4 ? decode_avx512(codes, table, scale, out, bytes) : level >= 3 ? decode_avx2(codes, table, scale, out, bytes) : 0;
}
#else
int64_t decode_wide(const uint8_t*, const float*, float, float*, int64_t) { return 0; }
#endif

LB_CLONES void decode_int8(const int8_t* codes, float scale, float* out, int64_t count) {
    for (int64_t i = 0; i < count; i++) out[i] = static_cast<float>(codes[i]) * scale * kOneOver127;
}

LB_INLINE float from_bits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

LB_INLINE uint32_t to_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

LB_CLONES void decode_bfloat16(const uint16_t* stored, float* out, int64_t count) {
    for (int64_t i = 0; i < count; i++) out[i] = from_bits(static_cast<uint32_t>(stored[i]) << 16);
}

// Exact for every fp16 number: the exponent is moved by a product with 2^112, which also makes subnormal ones right.
LB_CLONES void decode_float16(const uint16_t* stored, float* out, int64_t count) {
    const float factor = from_bits((127u + 112u) << 23);
    for (int64_t i = 0; i < count; i++) {
        const uint32_t half = stored[i];
        const uint32_t magnitude = (half & 0x7fffu) << 13;
        const uint32_t bits = magnitude >= (31u << 23) ? magnitude | (255u << 23) : to_bits(from_bits(magnitude) * factor);
        out[i] = from_bits(bits | ((half & 0x8000u) << 16));
    }
}

// To the nearest bf16, ties to even, kept as fp32. Rounding would carry some NaN into the sign; they stay NaN, since training is judged by them.
LB_CLONES void round_bits(const float* in, float* out, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const uint32_t bits = to_bits(in[i]);
        const uint32_t rounded = (bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x00400000u : bits + 0x7fffu + ((bits >> 16) & 1u);
        out[i] = from_bits(rounded & 0xffff0000u);
    }
}

}  // namespace

void lorabuild::round_to_bf16(const float* in, float* out, int64_t count) { round_bits(in, out, count); }

float FrozenWeight::scale(int64_t block) const {
    if (info.nested_block_size == 0) return scales.data_ptr<float>()[block];
    const uint8_t code = scales.data_ptr<uint8_t>()[block];
    // The product is rounded before the sum: no fused multiply-add may join them.
    const double product = static_cast<double>(nested_map.data_ptr<float>()[code]) * nested_scales.data_ptr<float>()[block / info.nested_block_size];
    return static_cast<float>(product) + info.offset;
}

void FrozenWeight::decode_four_bit(int64_t first, int64_t end, float* out) const {
    const uint8_t* bytes = static_cast<const uint8_t*>(codes.data_ptr());
    int64_t at = first;
    while (at < end) {
        const int64_t block = at / info.block_size;
        const int64_t stop = std::min(end, (block + 1) * info.block_size);
        const float s = scale(block);
        float* to = out + (at - first);
        if (at % 2 != 0) *to++ = pairs[2 * static_cast<size_t>(bytes[at++ / 2]) + 1] * s;
        const int64_t whole = (stop - at) / 2;
        const int64_t done = decode_wide(bytes + at / 2, table.data(), s, to, whole);
        decode_pairs(bytes + at / 2 + done, pairs.data(), s, to + 2 * done, whole - done);
        if ((stop - at) % 2 != 0) to[2 * whole] = pairs[2 * static_cast<size_t>(bytes[stop / 2])] * s;
        at = stop;
    }
}

void FrozenWeight::decode(int64_t row, int64_t first, int64_t count, float* out) const {
    const int64_t start = row * info.columns + first;
    switch (kind()) {
        case Kind::four_bit:
            return decode_four_bit(start, start + count, out);
        case Kind::int8_rows:
            return decode_int8(static_cast<const int8_t*>(codes.data_ptr()) + start, scales.data_ptr<float>()[row], out, count);
        case Kind::bfloat16:
            return decode_bfloat16(stored() + start, out, count);
        case Kind::float16:
            return decode_float16(stored() + start, out, count);
    }
}

void FrozenWeight::widen(int64_t row, int64_t first, int64_t count, float* out) const {
    decode(row, first, count, out);
    if (info.rounds_to_bf16 != 0) round_bits(out, out, count);
}

void FrozenWeight::widen_rows(int64_t first, int64_t count, float* out) const {
    at::parallel_for(0, count, std::max<int64_t>(1, 32768 / info.columns), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++) decode(first + row, 0, info.columns, out + row * info.columns);
    });
}

// `table`: 16 values of four-bit codes, or null. `scales` and the nested tensors are null where the kind has none.
LB_API int lb_frozen_weight_new(const FrozenWeightInfo* info, Handle codes, Handle scales, Handle nested_scales, Handle nested_map, const float* table, FrozenWeight** out) {
    return guard([&] {
        WeightPointer weight = c10::make_intrusive<FrozenWeight>();
        weight->info = *info;
        weight->codes = get(codes);
        if (scales != nullptr) weight->scales = get(scales);
        if (nested_scales != nullptr) weight->nested_scales = get(nested_scales);
        if (nested_map != nullptr) weight->nested_map = get(nested_map);
        if (table != nullptr) {
            weight->table.assign(table, table + 16);
            weight->pairs.resize(512);
            for (size_t two = 0; two < 256; two++) {
                weight->pairs[2 * two] = table[two >> 4];
                weight->pairs[2 * two + 1] = table[two & 15];
            }
        }
        *out = weight.release();
    });
}

LB_API void lb_frozen_weight_free(FrozenWeight* weight) { WeightPointer::reclaim(weight); }

// Rows [first, first + count) in fp32.
LB_API int lb_frozen_weight_rows(FrozenWeight* weight, int64_t first, int64_t count, Handle* out) {
    return guard([&] {
        at::Tensor rows = at::empty({count, weight->info.columns}, at::TensorOptions().dtype(at::kFloat));
        weight->widen_rows(first, count, rows.data_ptr<float>());
        *out = wrap(std::move(rows));
    });
}
