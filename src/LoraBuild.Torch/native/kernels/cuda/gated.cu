// The gate of the feed-forward layer on the device (SwiGLU and GeGLU, Shazeer 2020), forward and backward in one pass each.
#include "device.cuh"

#include <type_traits>

namespace lorabuild::cuda {

namespace {

// act(x) and act'(x).
struct Bent {
    float value;
    float slope;
};

template <Gate kind>
__device__ inline Bent bend(float x) {
    if constexpr (kind == Gate::silu) {
        const float sigmoid = 1.0f / (1.0f + expf(-x));
        return Bent{x * sigmoid, sigmoid * (1.0f + x * (1.0f - sigmoid))};
    } else if constexpr (kind == Gate::gelu) {
        const float cumulative = 0.5f * (1.0f + erff(x * 0.70710678118654752f));      // Φ(x)
        const float density = 0.39894228040143268f * expf(-0.5f * x * x);            // φ(x)
        return Bent{x * cumulative, cumulative + x * density};
    } else {
        // ½x(1 + tanh(√(2/π)(x + 0.044715 x³))), Hendrycks and Gimpel 2016.
        const float root = 0.79788456080286536f, cubic = 0.044715f;
        const float t = tanhf(root * x * (1.0f + cubic * x * x));
        return Bent{0.5f * x * (1.0f + t), 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * root * (1.0f + 3.0f * cubic * x * x)};
    }
}

// act(gate) is rounded to the type before it meets up, as in tensor calls. A block row of the grid is a row.
template <typename T, int N, Gate kind>
__global__ void gate_forward(const T* gate, int64_t gate_stride, const T* up, int64_t up_stride, T* y, int64_t rows, int64_t width) {
    const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
    if (i >= width) return;
    for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
        const Pack<T, N> gates = load<T, N>(gate + row * gate_stride + i), ups = load<T, N>(up + row * up_stride + i);
        Pack<T, N> result;
        LB_UNROLL
        for (int k = 0; k < N; k++) result.values[k] = from_float<T>(rounded<T>(bend<kind>(to_float(gates.values[k])).value) * to_float(ups.values[k]));
        store<T, N>(y + row * width + i, result);
    }
}

template <typename T, int N, Gate kind>
__global__ void gate_backward(const T* g, const T* gate, int64_t gate_stride, const T* up, int64_t up_stride, T* d_gate, T* d_up, int64_t rows, int64_t width) {
    const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
    if (i >= width) return;
    for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
        const Pack<T, N> slopes = load<T, N>(g + row * width + i), gates = load<T, N>(gate + row * gate_stride + i), ups = load<T, N>(up + row * up_stride + i);
        Pack<T, N> of_gate, of_up;
        LB_UNROLL
        for (int k = 0; k < N; k++) {
            const Bent bent = bend<kind>(to_float(gates.values[k]));
            const float slope = to_float(slopes.values[k]);
            of_gate.values[k] = from_float<T>(slope * to_float(ups.values[k]) * bent.slope);
            of_up.values[k] = from_float<T>(slope * bent.value);
        }
        store<T, N>(d_gate + row * width + i, of_gate);
        store<T, N>(d_up + row * width + i, of_up);
    }
}

// Calls body with the number of elements that memory and strides let be read at once, and the kind, as constants.
template <typename T, typename F>
void with_shape(bool is_packed, Gate kind, F body) {
    auto with_kind = [&](auto count) {
        switch (kind) {
            case Gate::silu: body(count, std::integral_constant<Gate, Gate::silu>()); break;
            case Gate::gelu: body(count, std::integral_constant<Gate, Gate::gelu>()); break;
            default: body(count, std::integral_constant<Gate, Gate::gelu_tanh>()); break;
        }
    };
    if (is_packed)
        with_kind(std::integral_constant<int, 16 / sizeof(T)>());
    else
        with_kind(std::integral_constant<int, 1>());
}

}  // namespace

Status gated_forward(Element type, Gate kind, const void* gate, int64_t gate_stride, const void* up, int64_t up_stride, void* y, int64_t rows, int64_t width, Stream stream) {
    if (rows * width == 0) return 0;
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        constexpr int whole = 16 / sizeof(T);
        const bool is_packed = width % whole == 0 && gate_stride % whole == 0 && up_stride % whole == 0 && is_aligned(gate) && is_aligned(up) && is_aligned(y);
        with_shape<T>(is_packed, kind, [&](auto count, auto act) {
            LB_LAUNCH((gate_forward<T, decltype(count)::value, decltype(act)::value>), grid_of_rows(rows, width, count, kThreads), dim3(kThreads), stream, static_cast<const T*>(gate),
                      gate_stride, static_cast<const T*>(up), up_stride, static_cast<T*>(y), rows, width);
        });
    });
}

Status gated_backward(Element type, Gate kind, const void* g, const void* gate, int64_t gate_stride, const void* up, int64_t up_stride, void* d_gate, void* d_up, int64_t rows, int64_t width,
                      Stream stream) {
    if (rows * width == 0) return 0;
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        constexpr int whole = 16 / sizeof(T);
        const bool is_packed = width % whole == 0 && gate_stride % whole == 0 && up_stride % whole == 0 && is_aligned(g) && is_aligned(gate) && is_aligned(up) && is_aligned(d_gate) && is_aligned(d_up);
        with_shape<T>(is_packed, kind, [&](auto count, auto act) {
            LB_LAUNCH((gate_backward<T, decltype(count)::value, decltype(act)::value>), grid_of_rows(rows, width, count, kThreads), dim3(kThreads), stream, static_cast<const T*>(g),
                      static_cast<const T*>(gate), gate_stride, static_cast<const T*>(up), up_stride, static_cast<T*>(d_gate), static_cast<T*>(d_up), rows, width);
        });
    });
}

}  // namespace lorabuild::cuda
