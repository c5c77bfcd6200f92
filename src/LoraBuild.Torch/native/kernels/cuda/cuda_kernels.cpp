// Tensors to the launchers' pointers: each function checks what its kernel takes for granted, and launches on libtorch's stream.
#include "cuda_kernels.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/DeviceGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <array>
#include <atomic>

namespace lorabuild::cuda {

namespace {

// Asked once for each device.
bool is_supported(int device) {
    constexpr int kMostDevices = 64;
    static std::array<std::atomic<int>, kMostDevices> known{};  // 0 not asked, 1 no, 2 yes
    if (device < 0 || device >= kMostDevices) return false;
    auto& place = known[static_cast<size_t>(device)];
    if (place.load() == 0) {
        bool is_new_enough = false;
        check(device_is_supported(device, &is_new_enough), "cudaDeviceGetAttribute");
        place.store(is_new_enough ? 2 : 1);
    }
    return place.load() == 2;
}

// Same device, same type.
void check_alike(const at::Tensor& first, const at::Tensor& other, const char* kernel) {
    TORCH_CHECK(first.device() == other.device() && first.scalar_type() == other.scalar_type(), kernel, ": tensors of ", first.device(), " ", first.scalar_type(), " and ", other.device(), " ",
                other.scalar_type());
}

void check_dense(const at::Tensor& tensor, int64_t count, const char* kernel) {
    TORCH_CHECK(tensor.is_contiguous() && tensor.numel() == count, kernel, ": a tensor of shape ", tensor.sizes(), " where ", count, " dense elements were expected");
}

int64_t width_of(const at::Tensor& x) { return x.dim() == 0 ? 0 : x.size(-1); }

int64_t rows_of(const at::Tensor& x) { return width_of(x) == 0 ? 0 : x.numel() / width_of(x); }

// A row's elements stand beside each other; a tensor of which that is not so is copied.
at::Tensor dense_rows(const at::Tensor& x) { return x.dim() == 2 && x.stride(1) == 1 ? x : x.contiguous(); }

}  // namespace

bool fits(const at::Tensor& tensor) {
    return tensor.defined() && tensor.is_cuda() && tensor.layout() == at::kStrided && (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16) &&
           is_supported(tensor.get_device());
}

Element element_of(const at::Tensor& tensor) {
    TORCH_CHECK(tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16, "the CUDA kernels compute in float32 and bfloat16, not in ", tensor.scalar_type());
    return tensor.scalar_type() == at::kFloat ? Element::f32 : Element::bf16;
}

Stream stream_of(const at::Tensor& tensor) { return static_cast<Stream>(c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(tensor.get_device())).stream()); }

void check(Status status, const char* kernel) { TORCH_CHECK(status == 0, "CUDA kernel ", kernel, ": ", status_text(status)); }

void rms_norm_forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& y, const at::Tensor& rstd, double eps, double offset) {
    constexpr const char* kName = "rms_norm";
    const c10::DeviceGuard on(x.device());
    check_alike(x, weight, kName);
    check_alike(x, y, kName);
    check_dense(x, x.numel(), kName);
    check_dense(y, x.numel(), kName);
    check_dense(weight, width_of(x), kName);
    check_dense(rstd, rows_of(x), kName);
    check(lorabuild::cuda::rms_norm_forward(element_of(x), x.data_ptr(), weight.data_ptr(), y.data_ptr(), rstd.data_ptr<float>(), rows_of(x), width_of(x), static_cast<float>(eps),
                                            static_cast<float>(offset), stream_of(x)),
          kName);
}

void rms_norm_backward(const at::Tensor& g, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd, const at::Tensor& dx, double offset) {
    constexpr const char* kName = "rms_norm backward";
    const c10::DeviceGuard on(x.device());
    check_alike(x, g, kName);
    check_alike(x, dx, kName);
    check_dense(g, x.numel(), kName);
    check_dense(dx, x.numel(), kName);
    check(lorabuild::cuda::rms_norm_backward(element_of(x), g.data_ptr(), x.data_ptr(), weight.data_ptr(), rstd.data_ptr<float>(), dx.data_ptr(), rows_of(x), width_of(x),
                                             static_cast<float>(offset), stream_of(x)),
          kName);
}

at::Tensor rms_norm_weight(const at::Tensor& g, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd) {
    constexpr const char* kName = "rms_norm backward of the weight";
    const c10::DeviceGuard on(x.device());
    check_alike(x, g, kName);
    check_dense(g, x.numel(), kName);
    const at::Tensor partial = at::empty({rms_norm_pieces(rows_of(x)), width_of(x)}, rstd.options());
    const at::Tensor dw = at::empty({width_of(x)}, rstd.options());
    check(lorabuild::cuda::rms_norm_weight(element_of(x), g.data_ptr(), x.data_ptr(), rstd.data_ptr<float>(), partial.data_ptr<float>(), dw.data_ptr<float>(), rows_of(x), width_of(x), stream_of(x)),
          kName);
    return dw.to(weight.scalar_type());
}

at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, bool inverse) {
    constexpr const char* kName = "rope";
    const c10::DeviceGuard on(x.device());
    TORCH_CHECK(x.dim() == 3, kName, ": x must be [tokens, heads, head width], got ", x.sizes());
    check_alike(x, cos, kName);
    check_alike(x, sin, kName);
    const int64_t tokens = x.size(0), heads = x.size(1), head_width = x.size(2), half = cos.size(-1);
    TORCH_CHECK(2 * half <= head_width, kName, ": ", half, " angles for heads of ", head_width);
    check_dense(cos, tokens * half, kName);
    check_dense(sin, tokens * half, kName);
    const at::Tensor in = x.stride(2) == 1 && x.stride(1) == head_width ? x : x.contiguous();
    at::Tensor y = at::empty({tokens, heads, head_width}, x.options());
    check(lorabuild::cuda::rope(element_of(x), in.data_ptr(), in.stride(0), cos.data_ptr(), sin.data_ptr(), y.data_ptr(), tokens, heads, head_width, half, inverse, stream_of(x)), kName);
    return y;
}

at::Tensor gated_forward(const at::Tensor& gate, const at::Tensor& up, Gate kind) {
    constexpr const char* kName = "gated activation";
    const c10::DeviceGuard on(gate.device());
    check_alike(gate, up, kName);
    TORCH_CHECK(gate.dim() == 2 && gate.sizes() == up.sizes(), kName, ": gate ", gate.sizes(), " and up ", up.sizes(), " must be [rows, width]");
    const at::Tensor a = dense_rows(gate), b = dense_rows(up);
    at::Tensor y = at::empty({gate.size(0), gate.size(1)}, gate.options());
    check(lorabuild::cuda::gated_forward(element_of(gate), kind, a.data_ptr(), a.stride(0), b.data_ptr(), b.stride(0), y.data_ptr(), gate.size(0), gate.size(1), stream_of(gate)), kName);
    return y;
}

std::pair<at::Tensor, at::Tensor> gated_backward(const at::Tensor& g, const at::Tensor& gate, const at::Tensor& up, Gate kind) {
    constexpr const char* kName = "gated activation backward";
    const c10::DeviceGuard on(gate.device());
    check_alike(gate, up, kName);
    check_alike(gate, g, kName);
    const at::Tensor slope = g.contiguous(), a = dense_rows(gate), b = dense_rows(up);
    check_dense(slope, gate.numel(), kName);
    at::Tensor d_gate = at::empty({gate.size(0), gate.size(1)}, gate.options()), d_up = at::empty_like(d_gate);
    check(lorabuild::cuda::gated_backward(element_of(gate), kind, slope.data_ptr(), a.data_ptr(), a.stride(0), b.data_ptr(), b.stride(0), d_gate.data_ptr(), d_up.data_ptr(), gate.size(0),
                                          gate.size(1), stream_of(gate)),
          kName);
    return {d_gate, d_up};
}

}  // namespace lorabuild::cuda
