// AdamW over many tensors in few launches (Loshchilov and Hutter, 2019), in the order of AdamWRule.
#include "device.cuh"

namespace lorabuild::cuda {

namespace {

constexpr int kTensorsOfLaunch = 56;  // a kernel's arguments end at 4 KB

struct Batch {
    AdamWTensor tensors[kTensorsOfLaunch];
};

// A block row of the grid is a tensor.
template <typename T>
__global__ void adamw_update(Batch batch, AdamWNumbers n) {
    const AdamWTensor& tensor = batch.tensors[blockIdx.y];
    T* parameters = static_cast<T*>(tensor.parameter);
    const T* gradients = static_cast<const T*>(tensor.gradient);
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < tensor.count; i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
        const float g = gradients == nullptr ? 0.0f : to_float(gradients[i]) * n.gradient_scale;
        const float m = tensor.first[i] + n.weight1 * (g - tensor.first[i]);
        const float v = tensor.second[i] * n.keep2 + n.weight2 * g * g;
        tensor.first[i] = m;
        tensor.second[i] = v;
        parameters[i] = from_float<T>(to_float(parameters[i]) * tensor.decay - tensor.step_size * (m / (sqrtf(v) / n.root + n.epsilon)));
    }
}

}  // namespace

static_assert(sizeof(Batch) + sizeof(AdamWNumbers) <= 4096, "the arguments of a kernel end at 4 KB");

Status adamw(Element type, const AdamWTensor* tensors, int64_t count, const AdamWNumbers& numbers, Stream stream) {
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        for (int64_t start = 0; start < count; start += kTensorsOfLaunch) {
            Batch batch{};
            const int64_t size = count - start < kTensorsOfLaunch ? count - start : kTensorsOfLaunch;
            int64_t largest = 0;
            for (int64_t i = 0; i < size; i++) {
                batch.tensors[i] = tensors[start + i];
                largest = batch.tensors[i].count > largest ? batch.tensors[i].count : largest;
            }
            if (largest == 0) continue;
            const unsigned blocks = blocks_for(largest, kThreads);
            LB_LAUNCH((adamw_update<T>), dim3(blocks > 1024 ? 1024 : blocks, static_cast<unsigned>(size)), dim3(kThreads), stream, batch, numbers);
        }
    });
}

}  // namespace lorabuild::cuda
