// What the fused kernels share: vectorisation for the processor at hand, threads, autograd nodes, and the clock of their parts.
#pragma once

#include "../common.h"
#include "profile.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

// A function is compiled once for each kind of processor and the loader picks one; its loops are plain C++ that the compiler vectorises.
// What it calls must be LB_INLINE, or the callee stays at the least common level. LB_LEVEL (1 or 3) is a library for that level alone, to test it on any processor.
#if !defined(__x86_64__) || !defined(__GNUC__)
#define LB_CLONES
#elif !defined(LB_LEVEL)
#define LB_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif LB_LEVEL == 3
#define LB_CLONES __attribute__((target("arch=x86-64-v3")))
#else
#define LB_CLONES
#endif
#define LB_INLINE inline __attribute__((always_inline))

namespace lorabuild {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The x86-64 level (1, 3, 4) of what runs in an LB_CLONES function, for choices that the loader cannot make.
inline int processor_level() {
#if !defined(__x86_64__) || !defined(__GNUC__)
    return 1;
#elif defined(LB_LEVEL)
    return LB_LEVEL;
#else
    static const int level = __builtin_cpu_supports("x86-64-v4") ? 4 : __builtin_cpu_supports("x86-64-v3") ? 3 : 1;
    return level;
#endif
}

// fp32 in the processor's memory: what the kernels here compute on. Everything else goes the reference's way.
inline bool is_plain_float(const at::Tensor& tensor) {
    return tensor.defined() && tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat && tensor.layout() == at::kStrided;
}

// Rows of a parallel loop that one thread takes at least, so that starting it is worth it.
inline int64_t grain(int64_t row_elements) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, row_elements)); }

}  // namespace lorabuild
