// Causal attention inside each document of a packed batch by libtorch's own fused kernels: flash attention over all documents at once where this libtorch
// and the types have it, else a call of scaled_dot_product_attention for each run of equally long documents. Differentiable by libtorch's own formulas.
#include "kernel.h"

#include <ATen/ops/tensor.h>

// The arguments of both functions as they are here came with 2.6.
#define LB_HAS_SDPA (TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6))

#if LB_HAS_SDPA
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <tuple>

namespace {

// Documents of one length that stand beside each other.
struct Run {
    int64_t start, documents, length;
};

// starts: documents + 1 row numbers.
std::vector<Run> runs_of(const int64_t* starts, int64_t documents) {
    std::vector<Run> runs;
    for (int64_t i = 0; i < documents; i++) {
        const int64_t length = starts[i + 1] - starts[i];
        TORCH_CHECK(length > 0, "attention: document ", i, " is empty");
        if (!runs.empty() && runs.back().length == length)
            runs.back().documents++;
        else
            runs.push_back({starts[i], 1, length});
    }
    return runs;
}

at::Tensor flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& boundaries, int64_t longest, double scale, int64_t window) {
    // Flash attention counts the keys to the left of the query's own; −1 is all of them.
    const Optional<int64_t> left = window > 0 ? window - 1 : -1, right = 0;
    return std::get<0>(at::_flash_attention_forward(q, k, v, boundaries, boundaries, longest, longest, 0.0, true, false, scale, left, right));
}

// The boundaries on the device. All layers of a pass ask for the same: kept, they travel once a pass; a copy waits for all that the device has still to do.
at::Tensor boundaries_on(const at::Device& device, const int64_t* starts, int64_t documents) {
    struct Kept {
        std::vector<int32_t> rows;
        at::Tensor on_device;
    };
    static std::mutex gate;
    static auto* kept = new std::map<c10::DeviceIndex, Kept>();  // not freed at exit, when the device may be gone already
    const std::lock_guard<std::mutex> lock(gate);
    Kept& last = (*kept)[device.index()];
    if (!last.on_device.defined() || static_cast<int64_t>(last.rows.size()) != documents + 1 || !std::equal(last.rows.begin(), last.rows.end(), starts)) {
        const c10::InferenceMode off(false);  // or no graph could keep them
        std::vector<int32_t> rows(starts, starts + documents + 1);
        last.on_device = at::tensor(rows, at::TensorOptions().dtype(at::kInt)).to(device);
        last.rows = std::move(rows);
    }
    return last.on_device;
}

// Whether flash attention runs here, forward and backward: compiled into this libtorch, for this card, type and width of a head. Tried once each with a few numbers,
// because libtorch has no question for it that all versions answer.
bool has_flash(const at::Tensor& q, int64_t key_heads) {
    const int64_t heads = q.size(1), width = q.size(2);
    if (!q.is_cuda() || (q.scalar_type() != at::kBFloat16 && q.scalar_type() != at::kHalf) || width % 8 != 0 || width > 256) return false;
    static std::mutex gate;
    static std::map<std::tuple<int, int, int64_t, int64_t, int64_t>, bool> known;
    const auto key = std::make_tuple(static_cast<int>(q.get_device()), static_cast<int>(q.scalar_type()), width, heads, key_heads);
    {
        const std::lock_guard<std::mutex> lock(gate);
        const auto found = known.find(key);
        if (found != known.end()) return found->second;
    }
    // Without the lock: the trial's own backward pass may go through other threads' work. Two trials at once come to the same.
    bool works = true;
    try {
        const c10::InferenceMode off(false);
        const at::AutoGradMode with_gradient(true);
        const at::TensorOptions plain = q.options().requires_grad(false);
        at::Tensor tried = at::ones({8, heads, width}, plain).requires_grad_(true), keys = at::ones({8, key_heads, width}, plain).requires_grad_(true);
        const at::Tensor boundaries = at::zeros({2}, plain.dtype(at::kInt));
        boundaries.select(0, 1).fill_(8);
        at::Tensor y = flash(tried, keys, keys, boundaries, 8, 1.0, 0);
        y.sum().backward();
        works = tried.grad().defined() && keys.grad().defined();
    } catch (const c10::Error&) {
        works = false;  // "not compiled", "not on this card": the other way is taken
    }
    const std::lock_guard<std::mutex> lock(gate);
    known.emplace(key, works);
    return works;
}

// [documents, heads, length, width] of a run; heads that share keys get them side by side.
at::Tensor part(const at::Tensor& x, const Run& run, int64_t repeats) {
    at::Tensor rows = x.narrow(0, run.start, run.documents * run.length).reshape({run.documents, run.length, x.size(1), x.size(2)}).transpose(1, 2);
    if (repeats == 1) return rows;
    return rows.unsqueeze(2).expand({run.documents, x.size(1), repeats, run.length, x.size(2)}).reshape({run.documents, x.size(1) * repeats, run.length, x.size(2)});
}

// −∞ where query i must not see key j: j > i, or j ≤ i − window.
at::Tensor window_mask(int64_t length, int64_t window, const at::Tensor& like) {
    const at::Tensor seen = at::ones({length, length}, like.options().dtype(at::kBool).requires_grad(false)).tril().triu(1 - window);
    return at::zeros({length, length}, like.options().requires_grad(false)).masked_fill_(seen.logical_not(), -std::numeric_limits<double>::infinity());
}

at::Tensor by_runs(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const std::vector<Run>& runs, double scale, int64_t window) {
    const int64_t heads = q.size(1), repeats = heads / k.size(1);
    std::vector<at::Tensor> parts;
    parts.reserve(runs.size());
    for (const Run& run : runs) {
        const bool is_cut = window > 0 && window < run.length;
        const Optional<at::Tensor> mask = is_cut ? Optional<at::Tensor>(window_mask(run.length, window, q)) : Optional<at::Tensor>();
        at::Tensor y = at::scaled_dot_product_attention(part(q, run, 1), part(k, run, repeats), part(v, run, repeats), mask, 0.0, !is_cut, scale);
        parts.push_back(y.transpose(1, 2).reshape({run.documents * run.length, heads * q.size(2)}));
    }
    return parts.size() == 1 ? parts[0] : at::cat(parts, 0);
}

}  // namespace
#endif

// Whether lb_sdpa_attention is there: libtorch 2.6 or newer.
LB_API int lb_has_sdpa_attention() { return LB_HAS_SDPA ? 1 : 0; }

// q [P, heads, width], k, v [P, key heads, width]; starts: `documents` + 1 row numbers from 0 to P; window 0: every earlier key is seen. [P, heads · width].
LB_API int lb_sdpa_attention(Handle query, Handle keys, Handle values, const int64_t* starts, int64_t documents, double scale, int64_t window, Handle* out) {
    return guard([&] {
#if LB_HAS_SDPA
        Timed timed(Part::attention, false);
        const at::Tensor &q = get(query), &k = get(keys), &v = get(values);
        TORCH_CHECK(q.dim() == 3 && k.dim() == 3 && v.sizes() == k.sizes() && k.size(0) == q.size(0) && k.size(2) == q.size(2) && k.size(1) > 0 && q.size(1) % k.size(1) == 0, "attention: shapes ",
                    q.sizes(), ", ", k.sizes(), ", ", v.sizes());
        TORCH_CHECK(documents > 0 && starts[0] == 0 && starts[documents] == q.size(0) && window >= 0, "attention: the documents must cover all ", q.size(0), " rows");
        const c10::DeviceGuard on(q.device());
        const std::vector<Run> runs = runs_of(starts, documents);
        if (has_flash(q, k.size(1))) {
            TORCH_CHECK(q.size(0) <= std::numeric_limits<int32_t>::max(), "flash attention counts rows in 32 bits, got ", q.size(0));
            const at::Tensor boundaries = boundaries_on(q.device(), starts, documents);
            int64_t longest = 0;
            for (const Run& run : runs) longest = std::max(longest, run.length);
            *out = wrap(flash(q.contiguous(), k.contiguous(), v.contiguous(), boundaries, longest, scale, window).reshape({q.size(0), q.size(1) * q.size(2)}));
            return;
        }
        *out = wrap(by_runs(q, k, v, runs, scale, window));
#else
        (void)query, (void)keys, (void)values, (void)starts, (void)documents, (void)scale, (void)window, (void)out;
        TORCH_CHECK(false, "attention by libtorch's own kernels needs libtorch 2.6 or newer");
#endif
    });
}
