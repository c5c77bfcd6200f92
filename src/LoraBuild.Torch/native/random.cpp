// Generators and everything that draws from one. A null generator is the default one of the tensor's device.
#include "common.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/multinomial.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randperm.h>

#include <mutex>

using GeneratorHandle = at::Generator*;

LB_API int lb_generator_new(int64_t seed, int device_type, int device_index, GeneratorHandle* out) {
    return guard([&] {
        at::Device where = device(device_type, device_index);
        at::Generator generator = where.is_cpu() ? at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(seed))
                                                 : at::globalContext().defaultGenerator(where).clone();
        generator.set_current_seed(static_cast<uint64_t>(seed));
        *out = new at::Generator(std::move(generator));
    });
}

LB_API int lb_generator_default(GeneratorHandle* out) {
    return guard([&] { *out = new at::Generator(at::detail::getDefaultCPUGenerator()); });
}

LB_API void lb_generator_free(GeneratorHandle generator) {
    guard([&] { delete generator; });
}

LB_API int lb_generator_seed(GeneratorHandle generator, int64_t seed) {
    return guard([&] {
        std::lock_guard<std::mutex> lock(generator->mutex());
        generator->set_current_seed(static_cast<uint64_t>(seed));
    });
}

// A seed from the system's entropy, which the generator then has.
LB_API int lb_generator_reseed(GeneratorHandle generator, int64_t* out) {
    return guard([&] {
        std::lock_guard<std::mutex> lock(generator->mutex());
        *out = static_cast<int64_t>(generator->seed());
    });
}

LB_API int lb_generator_initial_seed(GeneratorHandle generator, int64_t* out) {
    return guard([&] { *out = static_cast<int64_t>(generator->current_seed()); });
}

LB_API int lb_generator_get_state(GeneratorHandle generator, Handle* out) {
    return guard([&] {
        std::lock_guard<std::mutex> lock(generator->mutex());
        *out = wrap(generator->get_state());
    });
}

LB_API int lb_generator_set_state(GeneratorHandle generator, Handle state) {
    return guard([&] {
        std::lock_guard<std::mutex> lock(generator->mutex());
        generator->set_state(get(state));
    });
}

LB_API int lb_manual_seed(int64_t seed) {
    return guard([&] { at::manual_seed(static_cast<uint64_t>(seed)); });
}

#define LB_OPTIONS int type, int device_type, int device_index, int requires_grad
#define LB_OPT options(type, device_type, device_index)

LB_API int lb_rand(const int64_t* sizes, int64_t count, GeneratorHandle generator, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::rand(ints(sizes, count), maybe_generator(generator), LB_OPT), requires_grad); });
}

LB_API int lb_randn(const int64_t* sizes, int64_t count, GeneratorHandle generator, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::randn(ints(sizes, count), maybe_generator(generator), LB_OPT), requires_grad); });
}

LB_API int lb_randint(int64_t low, int64_t high, const int64_t* sizes, int64_t count, GeneratorHandle generator, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::randint(low, high, ints(sizes, count), maybe_generator(generator), LB_OPT), requires_grad); });
}

LB_API int lb_randperm(int64_t n, GeneratorHandle generator, LB_OPTIONS, Handle* out) {
    return guard([&] { *out = wrap_leaf(at::randperm(n, maybe_generator(generator), LB_OPT), requires_grad); });
}

LB_API int lb_multinomial(Handle a, int64_t samples, int replacement, GeneratorHandle generator, Handle* out) {
    return guard([&] { *out = wrap(at::multinomial(get(a), samples, replacement != 0, maybe_generator(generator))); });
}

LB_API int lb_normal_(Handle a, double mean, double std, GeneratorHandle generator) {
    return guard([&] { get(a).normal_(mean, std, maybe_generator(generator)); });
}

LB_API int lb_uniform_(Handle a, double from, double to, GeneratorHandle generator) {
    return guard([&] { get(a).uniform_(from, to, maybe_generator(generator)); });
}

LB_API int lb_bernoulli_(Handle a, double p, GeneratorHandle generator) {
    return guard([&] { get(a).bernoulli_(p, maybe_generator(generator)); });
}

LB_API int lb_exponential_(Handle a, double lambda, GeneratorHandle generator) {
    return guard([&] { get(a).exponential_(lambda, maybe_generator(generator)); });
}

LB_API int lb_random_(Handle a, int64_t from, int64_t to, GeneratorHandle generator) {
    return guard([&] { get(a).random_(from, to, maybe_generator(generator)); });
}
