// The CUDA kernels from outside: plain memory, sizes, a stream. No tensor type, so that nvcc reads no header of libtorch.
#pragma once

#include <cstdint>

namespace lorabuild::cuda {

// What a buffer holds. Arithmetic and sums are fp32 in every kernel.
enum class Element : int { f32, bf16 };

using Stream = void*;  // a cudaStream_t

// A cudaError_t; 0 is success.
using Status = int;

const char* status_text(Status status);

// Whether the device that is current can run these kernels: compute capability 8.0 or newer.
Status device_is_supported(int device, bool* out);

// x, y [rows, width] dense, weight [width], rstd [rows].
Status rms_norm_forward(Element type, const void* x, const void* weight, void* y, float* rstd, int64_t rows, int64_t width, float eps, float offset, Stream stream);
Status rms_norm_backward(Element type, const void* g, const void* x, const void* weight, const float* rstd, void* dx, int64_t rows, int64_t width, float offset, Stream stream);

// Pieces of the rows whose sums stand side by side before they are added: partial [rms_norm_pieces(rows), width].
int64_t rms_norm_pieces(int64_t rows);
Status rms_norm_weight(Element type, const void* g, const void* x, const float* rstd, float* partial, float* dw, int64_t rows, int64_t width, Stream stream);

// x: `row_stride` elements from token to token, heads dense in it; y [tokens, heads, head_width] dense; cos, sin [tokens, half].
// `inverse` turns back, which is the gradient.
Status rope(Element type, const void* x, int64_t row_stride, const void* cos, const void* sin, void* y, int64_t tokens, int64_t heads, int64_t head_width, int64_t half, bool inverse, Stream stream);

// As GateFunction in C#.
enum class Gate : int { silu, gelu, gelu_tanh };

// y = act(gate) · up. Inputs have a row stride, y, d_gate and d_up are dense [rows, width].
Status gated_forward(Element type, Gate kind, const void* gate, int64_t gate_stride, const void* up, int64_t up_stride, void* y, int64_t rows, int64_t width, Stream stream);
Status gated_backward(Element type, Gate kind, const void* g, const void* gate, int64_t gate_stride, const void* up, int64_t up_stride, void* d_gate, void* d_up, int64_t rows, int64_t width, Stream stream);

struct CrossEntropy {
    float logit_scale;
    float softcap;    // 0: none
    float smoothing;  // ε of label smoothing
    bool wants_gradient;
};

// logits [rows, vocabulary] dense; where the gradient is wanted they become weight · ∂loss/∂logits, without `logit_scale`.
// weights is null (1) or fp32 [rows]; losses, without weights, fp32 [rows]. A target outside the vocabulary counts nothing.
Status cross_entropy(Element type, void* logits, const int64_t* targets, const float* weights, float* losses, int64_t rows, int64_t vocabulary, const CrossEntropy& options, Stream stream);

// The scales of four-bit blocks: fp32 as they are, or one byte each (scale = map[code] · absmax[block / group] + offset).
struct BlockScales {
    const float* plain;  // null where they are compressed
    const uint8_t* codes;
    const float* map;     // [256]
    const float* absmax;
    float offset;
    int64_t group;
};

struct FourBitTable {
    float values[16];
};

// A rectangle of a weight [rows, columns] that stands row after row.
struct Rectangle {
    int64_t columns;  // of the whole weight
    int64_t row;
    int64_t row_count;
    int64_t column;
    int64_t column_count;
};

// packed: four-bit codes, the first of two in the high half; `block` elements share a scale. y [row_count, column_count] dense.
Status four_bit_decode(Element type, const uint8_t* packed, const BlockScales& scales, const FourBitTable& table, int64_t block, const Rectangle& tile, void* y, Stream stream);

// y = code · scale of the row / 127: codes [rows, columns], scales [rows]; y [row_count, column_count] dense.
Status int8_decode(Element type, const int8_t* codes, const float* scales, const Rectangle& tile, void* y, Stream stream);

// One tensor of an AdamW update: fp32 state, parameter and gradient of the call's type. A null gradient counts as 0.
struct AdamWTensor {
    void* parameter;
    const void* gradient;
    float* first;
    float* second;
    int64_t count;
    float decay;      // 1 − rate · weight decay
    float step_size;  // rate / (1 − β₁ᵗ)
};

struct AdamWNumbers {
    float gradient_scale;
    float weight1;  // 1 − β₁
    float keep2;    // β₂
    float weight2;  // 1 − β₂
    float root;     // √(1 − β₂ᵗ)
    float epsilon;
};

Status adamw(Element type, const AdamWTensor* tensors, int64_t count, const AdamWNumbers& numbers, Stream stream);

// mask[i] = 1 / keep with probability keep, else 0; a function of seed and first + i alone.
Status dropout_mask(Element type, void* mask, int64_t count, uint64_t seed, int64_t first, double keep, Stream stream);

}  // namespace lorabuild::cuda
