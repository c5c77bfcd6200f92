// oneDNN's sgemm where it is loaded and ahead of the BLAS, else the BLAS that libtorch uses. The choice is a rule over shapes and never a measurement
// at run time, which would make results depend on the moment.
#include "gemm.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/from_blob.h>
#include <dlfcn.h>

namespace {

// oneDNN's C API: row-major, 'T' for a transposed operand.
using Sgemm = int (*)(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t, float, float*, int64_t);

// libtorch brings oneDNN along: Debian's links the shared library, others contain it and do not always show it.
Sgemm find_onednn() {
    for (const char* name : {"libdnnl.so.2", "libdnnl.so.3", "libtorch_cpu.so"}) {
        void* library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
        if (library == nullptr) continue;
        if (void* found = dlsym(library, "dnnl_sgemm")) return reinterpret_cast<Sgemm>(found);
    }
    return nullptr;
}

// Measured with OpenBLAS 0.3.21 (AVX-512) against oneDNN 2.6 on two cores, medians (docs/benchmarks.md): with a transposed right operand OpenBLAS is
// ahead by up to 15% where the result is wide and long, oneDNN by 5 to 500% elsewhere. Small products go to oneDNN too: with its first product OpenBLAS
// reserves 128 MB of address space, which a pass that was cut because memory is short must not be the first to need.
bool prefers_onednn(int64_t rows, int64_t columns, int64_t inner, bool is_right_transposed) {
    if (rows == 0 || columns == 0 || inner == 0) return false;  // which oneDNN refuses
    if (!is_right_transposed || columns <= 256 || rows * columns * inner < (1 << 20)) return true;
    return rows >= 192 && rows <= 768 && inner <= 1024 && columns <= 8192;
}

}  // namespace

void lorabuild::gemm(int64_t rows, int64_t columns, int64_t inner, float alpha, Matrix a, Matrix b, float beta, float* c, int64_t c_stride) {
    static const Sgemm onednn = find_onednn();
    if (onednn != nullptr && prefers_onednn(rows, columns, inner, b.is_transposed)) {
        const int status = onednn(a.is_transposed ? 'T' : 'N', b.is_transposed ? 'T' : 'N', rows, columns, inner, alpha, a.data, a.stride, b.data, b.stride, beta, c, c_stride);
        TORCH_CHECK(status == 0, "oneDNN's sgemm refused a product of ", rows, " × ", inner, " × ", columns);
        return;
    }
    blas_gemm(rows, columns, inner, alpha, a, b, beta, c, c_stride);
}

void lorabuild::blas_gemm(int64_t rows, int64_t columns, int64_t inner, float alpha, Matrix a, Matrix b, float beta, float* c, int64_t c_stride) {
    const at::NoGradGuard no_grad;
    const auto view = [](const Matrix& m, int64_t height, int64_t width) {
        float* data = const_cast<float*>(m.data);
        return m.is_transposed ? at::from_blob(data, {width, height}, {m.stride, 1}).t() : at::from_blob(data, {height, width}, {m.stride, 1});
    };
    at::Tensor result = at::from_blob(c, {rows, columns}, {c_stride, 1});
    at::addmm_out(result, result, view(a, rows, inner), view(b, inner, columns), beta, alpha);
}
