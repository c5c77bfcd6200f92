// Cross-entropy of a chunk of logits on the device: the loss of every row, and its gradient in the logits' place.
#include "device.cuh"

namespace lorabuild::cuda {

namespace {

constexpr float kLowest = -3.402823466e38f;

struct Largest {
    __device__ float operator()(float a, float b) const { return a > b ? a : b; }
};

// The logit after scale and cap.
__device__ inline float shaped(float logit, const CrossEntropy& o) {
    const float scaled = logit * o.logit_scale;
    return o.softcap > 0.0f ? o.softcap * tanhf(scaled / o.softcap) : scaled;
}

// A block a row. Every thread keeps a running largest logit and the sum of exp relative to it; the block then agrees on one largest.
template <typename T, int N>
__global__ void cross_entropy_rows(T* logits, const int64_t* targets, const float* weights, float* losses, int64_t vocabulary, CrossEntropy o) {
    T* row = logits + static_cast<int64_t>(blockIdx.x) * vocabulary;
    const int64_t target = targets[blockIdx.x];
    const bool counts = target >= 0 && target < vocabulary;
    float largest = kLowest, sum = 0, total = 0;
    for (int64_t i = static_cast<int64_t>(threadIdx.x) * N; i < vocabulary; i += static_cast<int64_t>(blockDim.x) * N) {
        const Pack<T, N> values = load<T, N>(row + i);
        float highest = largest, z[N];
        LB_UNROLL
        for (int k = 0; k < N; k++) {
            z[k] = shaped(to_float(values.values[k]), o);
            total += z[k];
            highest = z[k] > highest ? z[k] : highest;
        }
        sum *= expf(largest - highest);
        largest = highest;
        LB_UNROLL
        for (int k = 0; k < N; k++) sum += expf(z[k] - largest);
    }
    const float peak = reduce(largest, Largest(), kLowest);
    const float spread = reduce(sum * expf(largest - peak), Add(), 0.0f);
    const float log_sum = peak + logf(spread);
    const float mean = o.smoothing > 0.0f ? reduce(total, Add(), 0.0f) / static_cast<float>(vocabulary) : 0.0f;
    // The gradient is written over the logits: all threads must have what they need of them before.
    const float at_target = counts ? shaped(to_float(row[target]), o) : 0.0f;
    __syncthreads();
    if (threadIdx.x == 0) losses[blockIdx.x] = counts ? (1.0f - o.smoothing) * (log_sum - at_target) + o.smoothing * (log_sum - mean) : 0.0f;
    if (!o.wants_gradient) return;
    const float weight = !counts ? 0.0f : weights == nullptr ? 1.0f : weights[blockIdx.x];
    const float even = o.smoothing / static_cast<float>(vocabulary);
    for (int64_t i = static_cast<int64_t>(threadIdx.x) * N; i < vocabulary; i += static_cast<int64_t>(blockDim.x) * N) {
        Pack<T, N> values = load<T, N>(row + i);
        LB_UNROLL
        for (int k = 0; k < N; k++) {
            const float z = shaped(to_float(values.values[k]), o);
            float slope = expf(z - log_sum) - even;
            if (i + k == target) slope -= 1.0f - o.smoothing;
            if (o.softcap > 0.0f) slope *= 1.0f - (z / o.softcap) * (z / o.softcap);  // d cap(z)/dz
            values.values[k] = from_float<T>(weight == 0.0f ? 0.0f : slope * weight);
        }
        store<T, N>(row + i, values);
    }
}

}  // namespace

Status cross_entropy(Element type, void* logits, const int64_t* targets, const float* weights, float* losses, int64_t row_count, int64_t vocabulary, const CrossEntropy& options, Stream stream) {
    if (row_count == 0 || vocabulary == 0) return 0;
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        constexpr int N = 16 / sizeof(T);
        T* values = static_cast<T*>(logits);
        const dim3 grid(static_cast<unsigned>(row_count));
        if (vocabulary % N == 0 && is_aligned(logits)) {
            LB_LAUNCH((cross_entropy_rows<T, N>), grid, dim3(threads_for(vocabulary / N)), stream, values, targets, weights, losses, vocabulary, options);
        } else {
            LB_LAUNCH((cross_entropy_rows<T, 1>), grid, dim3(threads_for(vocabulary)), stream, values, targets, weights, losses, vocabulary, options);
        }
    });
}

}  // namespace lorabuild::cuda
