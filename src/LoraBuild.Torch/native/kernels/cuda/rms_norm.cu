// RMSNorm on the device: a block a row; the weight's gradient in two steps, so that its sum has a fixed order.
#include "device.cuh"

namespace lorabuild::cuda {

namespace {

constexpr int64_t kMostPieces = 256;

// y = x · rstd · (offset + w). Without an offset x · rstd is rounded to the type before it meets w, as in tensor calls.
template <typename T, int N>
__global__ void norm_forward(const T* x, const T* w, T* y, float* rstd, int64_t width, float eps, float offset) {
    const T* in = x + blockIdx.x * width;
    T* out = y + blockIdx.x * width;
    float sum = 0;
    for (int64_t i = static_cast<int64_t>(threadIdx.x) * N; i < width; i += static_cast<int64_t>(blockDim.x) * N) {
        const Pack<T, N> values = load<T, N>(in + i);
        LB_UNROLL
        for (int k = 0; k < N; k++) sum += to_float(values.values[k]) * to_float(values.values[k]);
    }
    const float scale = 1.0f / sqrtf(reduce(sum, Add(), 0.0f) / static_cast<float>(width) + eps);
    if (threadIdx.x == 0) rstd[blockIdx.x] = scale;
    for (int64_t i = static_cast<int64_t>(threadIdx.x) * N; i < width; i += static_cast<int64_t>(blockDim.x) * N) {
        const Pack<T, N> values = load<T, N>(in + i), factors = load<T, N>(w + i);
        Pack<T, N> result;
        LB_UNROLL
        for (int k = 0; k < N; k++) {
            const float normal = to_float(values.values[k]) * scale;
            const float factor = to_float(factors.values[k]);
            result.values[k] = from_float<T>(offset == 0.0f ? rounded<T>(normal) * factor : normal * (offset + factor));
        }
        store<T, N>(out + i, result);
    }
}

// With u = g · (offset + w) and n = x · rstd: dx = rstd · (u − n · mean(u · n)).
template <typename T, int N>
__global__ void norm_backward(const T* g, const T* x, const T* w, const float* rstd, T* dx, int64_t width, float offset) {
    const T* up = g + blockIdx.x * width;
    const T* in = x + blockIdx.x * width;
    T* out = dx + blockIdx.x * width;
    const float scale = rstd[blockIdx.x];
    float sum = 0;
    for (int64_t i = static_cast<int64_t>(threadIdx.x) * N; i < width; i += static_cast<int64_t>(blockDim.x) * N) {
        const Pack<T, N> slopes = load<T, N>(up + i), values = load<T, N>(in + i), factors = load<T, N>(w + i);
        LB_UNROLL
        for (int k = 0; k < N; k++) sum += to_float(slopes.values[k]) * (offset + to_float(factors.values[k])) * to_float(values.values[k]);
    }
    const float mean = reduce(sum, Add(), 0.0f) * scale * scale / static_cast<float>(width);
    for (int64_t i = static_cast<int64_t>(threadIdx.x) * N; i < width; i += static_cast<int64_t>(blockDim.x) * N) {
        const Pack<T, N> slopes = load<T, N>(up + i), values = load<T, N>(in + i), factors = load<T, N>(w + i);
        Pack<T, N> result;
        LB_UNROLL
        for (int k = 0; k < N; k++)
            result.values[k] = from_float<T>(scale * (to_float(slopes.values[k]) * (offset + to_float(factors.values[k])) - to_float(values.values[k]) * mean));
        store<T, N>(out + i, result);
    }
}

// A thread a column, a block row of the grid a piece of the rows.
template <typename T>
__global__ void norm_weight_pieces(const T* g, const T* x, const float* rstd, float* partial, int64_t rows, int64_t width) {
    const int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column >= width) return;
    const int64_t size = (rows + gridDim.y - 1) / gridDim.y;
    const int64_t begin = blockIdx.y * size, end = begin + size < rows ? begin + size : rows;
    float sum = 0;
    for (int64_t row = begin; row < end; row++) sum += to_float(g[row * width + column]) * to_float(x[row * width + column]) * rstd[row];
    partial[blockIdx.y * width + column] = sum;
}

__global__ void norm_weight_sum(const float* partial, float* dw, int64_t pieces, int64_t width) {
    const int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column >= width) return;
    float sum = 0;
    for (int64_t piece = 0; piece < pieces; piece++) sum += partial[piece * width + column];
    dw[column] = sum;
}

}  // namespace

Status rms_norm_forward(Element type, const void* x, const void* weight, void* y, float* rstd, int64_t rows, int64_t width, float eps, float offset, Stream stream) {
    if (rows == 0 || width == 0) return 0;
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        constexpr int N = 16 / sizeof(T);
        const T *in = static_cast<const T*>(x), *w = static_cast<const T*>(weight);
        T* out = static_cast<T*>(y);
        const dim3 grid(static_cast<unsigned>(rows));
        if (width % N == 0 && is_aligned(x) && is_aligned(weight) && is_aligned(y)) {
            LB_LAUNCH((norm_forward<T, N>), grid, dim3(threads_for(width / N)), stream, in, w, out, rstd, width, eps, offset);
        } else {
            LB_LAUNCH((norm_forward<T, 1>), grid, dim3(threads_for(width)), stream, in, w, out, rstd, width, eps, offset);
        }
    });
}

Status rms_norm_backward(Element type, const void* g, const void* x, const void* weight, const float* rstd, void* dx, int64_t rows, int64_t width, float offset, Stream stream) {
    if (rows == 0 || width == 0) return 0;
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        constexpr int N = 16 / sizeof(T);
        const T *up = static_cast<const T*>(g), *in = static_cast<const T*>(x), *w = static_cast<const T*>(weight);
        T* out = static_cast<T*>(dx);
        const dim3 grid(static_cast<unsigned>(rows));
        if (width % N == 0 && is_aligned(g) && is_aligned(x) && is_aligned(weight) && is_aligned(dx)) {
            LB_LAUNCH((norm_backward<T, N>), grid, dim3(threads_for(width / N)), stream, up, in, w, rstd, out, width, offset);
        } else {
            LB_LAUNCH((norm_backward<T, 1>), grid, dim3(threads_for(width)), stream, up, in, w, rstd, out, width, offset);
        }
    });
}

int64_t rms_norm_pieces(int64_t rows) { return rows < kMostPieces ? (rows < 1 ? 1 : rows) : kMostPieces; }

Status rms_norm_weight(Element type, const void* g, const void* x, const float* rstd, float* partial, float* dw, int64_t rows, int64_t width, Stream stream) {
    if (width == 0) return 0;
    const int64_t pieces = rms_norm_pieces(rows);
    const dim3 block(128), columns(static_cast<unsigned>((width + 127) / 128)), grid(columns.x, static_cast<unsigned>(pieces));
    return with_type(type, [&](auto element) {
        using T = decltype(element);
        LB_LAUNCH((norm_weight_pieces<T>), grid, block, stream, static_cast<const T*>(g), static_cast<const T*>(x), rstd, partial, rows, width);
        LB_LAUNCH(norm_weight_sum, columns, block, stream, partial, dw, pieces, width);
    });
}

const char* status_text(Status status) { return cudaGetErrorString(static_cast<cudaError_t>(status)); }

Status device_is_supported(int device, bool* out) {
    int major = 0;
    const cudaError_t status = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    *out = status == cudaSuccess && major >= 8;
    return static_cast<Status>(status);
}

}  // namespace lorabuild::cuda
