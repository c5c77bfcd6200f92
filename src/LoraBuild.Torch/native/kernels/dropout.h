// Dropout whose masks are never stored: an element is kept or not by its seed and its place, so that the backward pass decides the same again.
#pragma once

#include "kernel.h"

#include <vector>

namespace lorabuild {

// As SeededRun in C#: elements of a dense matrix, one after the other, whose numbers come from one seed.
struct SeededRun {
    int64_t seed;
    int64_t first;  // place of the first of them in the seed's sequence
    int64_t count;
};

struct Dropout {
    double keep;
    std::vector<SeededRun> runs;  // of the whole matrix, from its first element on
};

// out = x / keep where an element is kept, else 0; out may be x.
void drop(const Dropout& dropout, const float* x, float* out);

// The same, added to out.
void add_dropped(const Dropout& dropout, const float* x, float* out);

}  // namespace lorabuild
