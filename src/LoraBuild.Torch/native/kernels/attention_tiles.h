// Causal attention of one head of one document, by tiles: scores live in the caches and are computed again for the backward pass
// (Dao et al., 2022, and Dao, 2023: what is kept of them is the logarithm of each row's sum).
#pragma once

#include "tile.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lorabuild {

constexpr int64_t kPanel = 32;        // keys that lie side by side in a transposed panel
constexpr int64_t kForwardKeys = 256;  // keys of a tile of scores, forward
constexpr int64_t kBlock = 64;         // queries of a tile; keys of one, backward

// Rows of heads as a tensor [rows, heads, width] has them; width is contiguous.
struct HeadRows {
    float* data;
    int64_t row_stride;
    int64_t head_stride;

    float* at(int64_t row, int64_t head) const { return data + row * row_stride + head * head_stride; }
};

struct Sequence {
    int64_t first_query;  // row of the first query
    int64_t queries;
    int64_t first_key;
    int64_t keys;
    int64_t packed;  // row of the first key in the packed copies

    // Queries are the last of the keys: query i stands at place i + shift().
    int64_t shift() const { return keys - queries; }
};

struct AttentionShape {
    int64_t heads;
    int64_t key_heads;
    int64_t width;         // of a head
    int64_t padded_width;  // the next multiple of kColumnUnit
    int64_t packed_rows;   // of all documents together, each rounded up to whole panels
    float scale;
    float cap;       // scores become cap · tanh(score / cap); 0: they do not
    int64_t window;  // a query sees that many keys at most, itself included

    int64_t group() const { return heads / key_heads; }
};

// One head's keys (or values) beside each other: as rows, and transposed in panels [panel][width][kPanel] with zeros behind the last.
LB_INLINE void pack_panels(const float* in, int64_t stride, int64_t rows, int64_t width, float* out) {
    for (int64_t first = 0; first < rows; first += kPanel) {
        float* panel = out + first * width;
        for (int64_t row = 0; row < kPanel; row++) {
            if (first + row < rows) {
                const float* from = in + (first + row) * stride;
                for (int64_t i = 0; i < width; i++) panel[i * kPanel + row] = from[i];
            } else {
                for (int64_t i = 0; i < width; i++) panel[i * kPanel + row] = 0;
            }
        }
    }
}

// out[padded_rows, padded_width] = factor · in, zeros in what is padding.
LB_INLINE void pack_rows(const float* in, int64_t stride, int64_t rows, int64_t width, float factor, float* out, int64_t padded_rows, int64_t padded_width) {
    for (int64_t row = 0; row < rows; row++) {
        float* to = out + row * padded_width;
        const float* from = in + row * stride;
#pragma omp simd
        for (int64_t i = 0; i < width; i++) to[i] = factor * from[i];
        for (int64_t i = width; i < padded_width; i++) to[i] = 0;
    }
    for (int64_t i = rows * padded_width; i < padded_rows * padded_width; i++) out[i] = 0;
}

// The keys that a query sees among those from `first` on: [begin, end) relative to it, within [0, limit].
struct Seen {
    int64_t begin;
    int64_t end;
};
LB_INLINE Seen seen(int64_t place, int64_t window, int64_t first, int64_t limit) {
    const int64_t begin = place - window + 1 - first, end = place + 1 - first;
    return {begin < 0 ? 0 : begin > limit ? limit : begin, end < 0 ? 0 : end > limit ? limit : end};
}

struct ForwardBuffers {
    float* query;    // [kBlock, padded]
    float* mixed;    // [kBlock, padded]
    float* scores;   // [kBlock, kForwardKeys]
    float* largest;  // [kBlock]
    float* sum;

    static int64_t floats(int64_t padded_width) { return kBlock * (2 * padded_width + kForwardKeys + 2); }
    void place(float* memory, int64_t padded_width) {
        query = memory;
        mixed = query + kBlock * padded_width;
        scores = mixed + kBlock * padded_width;
        largest = scores + kBlock * kForwardKeys;
        sum = largest + kBlock;
    }
};


// One row of scores becomes weights relative to the largest so far; `mixed` and `sum` are brought to the new one.
LB_INLINE void soften_row(float* scores, Seen visible, int64_t from, int64_t to, float cap, float* mixed, int64_t width, float& largest, float& sum) {
    if (cap > 0) {
        const float inverse = 1.0f / cap;
#pragma omp simd
        for (int64_t j = from; j < to; j++) scores[j] = cap * hyperbolic_tangent(scores[j] * inverse);
    }
    constexpr float nothing = -std::numeric_limits<float>::infinity();
    for (int64_t j = from; j < visible.begin; j++) scores[j] = nothing;
    for (int64_t j = visible.end; j < to; j++) scores[j] = nothing;
    float top = largest;
#pragma omp simd reduction(max : top)
    for (int64_t j = from; j < to; j++) top = scores[j] > top ? scores[j] : top;
    if (top == nothing) top = 0;  // nothing seen yet: weights are 0, and stay so
    const float shrink = exponential(largest - top);
    float added = 0;
#pragma omp simd reduction(+ : added)
    for (int64_t j = from; j < to; j++) {
        const float weight = exponential(scores[j] - top);
        scores[j] = weight;
        added += weight;
    }
    sum = sum * shrink + added;
    if (shrink != 1.0f) {
#pragma omp simd
        for (int64_t i = 0; i < width; i++) mixed[i] *= shrink;
    }
    largest = added > 0 ? top : largest;
}

// Queries [begin, end) of a document, one head: out = softmax(...) V, lse = log Σ exp(score).
template <typename Tile>
LB_INLINE void attend(const AttentionShape& shape, const Sequence& document, int64_t head, int64_t begin, int64_t end, const HeadRows& query, const float* key_panels,
                      const float* value_rows, const HeadRows& out, float* lse, ForwardBuffers& buffers) {
    const int64_t width = shape.width, padded = shape.padded_width, shift = document.shift();
    for (int64_t block = begin; block < end; block += kBlock) {
        const int64_t rows = std::min(kBlock, end - block), all_rows = round_up(rows, kRowUnit);
        pack_rows(query.at(document.first_query + block, head), query.row_stride, rows, width, shape.scale, buffers.query, all_rows, padded);
        for (int64_t i = 0; i < all_rows * padded; i++) buffers.mixed[i] = 0;
        for (int64_t row = 0; row < all_rows; row++) {
            buffers.largest[row] = -std::numeric_limits<float>::infinity();
            buffers.sum[row] = 0;
        }
        const int64_t last_key = std::min(document.keys, block + rows + shift);
        const int64_t first_key = std::max<int64_t>(0, block + shift - shape.window + 1) / kPanel * kPanel;
        for (int64_t first = first_key; first < last_key; first += kForwardKeys) {
            const int64_t limit = std::min(kForwardKeys, last_key - first);
            for (int64_t group = 0; group < all_rows; group += kRowUnit) {
                // What the eight rows see together, in whole panels: the rest of the tile is not computed.
                const int64_t from = seen(block + group + shift, shape.window, first, limit).begin / kPanel * kPanel;
                const int64_t to = round_up(seen(block + group + kRowUnit - 1 + shift, shape.window, first, limit).end, kPanel);
                if (from >= to) continue;
                float* scores = buffers.scores + group * kForwardKeys;
                for (int64_t column = from; column < to; column += kPanel)
                    row_product<Tile, false>(buffers.query + group * padded, padded, 1, key_panels + (first + column) * width, kPanel, scores + column, kForwardKeys, kPanel, width);
                for (int64_t row = 0; row < kRowUnit; row++) {
                    soften_row(scores + row * kForwardKeys, seen(block + group + row + shift, shape.window, first, limit), from, to, shape.cap,
                               buffers.mixed + (group + row) * padded, padded, buffers.largest[group + row], buffers.sum[group + row]);
                }
                row_product<Tile, true>(scores + from, kForwardKeys, 1, value_rows + (first + from) * padded, padded, buffers.mixed + group * padded, padded, padded, to - from);
            }
        }
        for (int64_t row = 0; row < rows; row++) {
            const float inverse = 1.0f / buffers.sum[row];
            float* to = out.at(document.first_query + block + row, head);
#pragma omp simd
            for (int64_t i = 0; i < width; i++) to[i] = buffers.mixed[row * padded + i] * inverse;
            lse[document.first_query + block + row] = buffers.largest[row] + std::log(buffers.sum[row]);
        }
    }
}

// What the backward pass of one head of a document works in; the first five hold all its queries.
struct BackwardBuffers {
    float* query;
    float* upstream;
    float* query_gradient;
    float* lse;
    float* delta;
    float* weights;         // [kBlock, kBlock]
    float* slopes;          // the same: ∂/∂weights, then ∂/∂scores
    float* key_gradient;    // [kBlock, padded]
    float* value_gradient;

    static int64_t floats(int64_t queries, int64_t padded_width) {
        const int64_t rows = round_up(queries, kRowUnit);
        return 3 * rows * padded_width + 2 * round_up(rows, kColumnUnit) + 2 * kBlock * (padded_width + kBlock);
    }
    void place(float* memory, int64_t queries, int64_t padded_width) {
        const int64_t rows = round_up(queries, kRowUnit), numbers = round_up(rows, kColumnUnit);
        query = memory;
        upstream = query + rows * padded_width;
        query_gradient = upstream + rows * padded_width;
        key_gradient = query_gradient + rows * padded_width;
        value_gradient = key_gradient + kBlock * padded_width;
        weights = value_gradient + kBlock * padded_width;
        slopes = weights + kBlock * kBlock;
        lse = slopes + kBlock * kBlock;
        delta = lse + numbers;
    }
};

// weights = exp(score − lse) where the query sees the key, slopes = weights · (slope − delta), both 0 elsewhere; with a cap times its derivative 1 − tanh².
LB_INLINE void slope_row(float* weights, float* slopes, Seen visible, int64_t to, float cap, float lse, float delta) {
    if (cap > 0) {
        const float inverse = 1.0f / cap;
#pragma omp simd
        for (int64_t j = 0; j < to; j++) {
            const float bent = hyperbolic_tangent(weights[j] * inverse);
            const float weight = exponential(cap * bent - lse);
            weights[j] = weight;
            slopes[j] = weight * (slopes[j] - delta) * (1.0f - bent * bent);
        }
    } else {
#pragma omp simd
        for (int64_t j = 0; j < to; j++) {
            const float weight = exponential(weights[j] - lse);
            weights[j] = weight;
            slopes[j] = weight * (slopes[j] - delta);
        }
    }
    for (int64_t j = 0; j < visible.begin; j++) weights[j] = slopes[j] = 0;
    for (int64_t j = visible.end; j < to; j++) weights[j] = slopes[j] = 0;
}

// All queries of a document, one head: dq, and this head's part of dk and dv.
template <typename Tile>
LB_INLINE void attend_backward(const AttentionShape& shape, const Sequence& document, int64_t head, const HeadRows& query, const float* key_rows, const float* key_panels,
                               const float* value_panels, const HeadRows& out, const HeadRows& upstream, const float* lse, const HeadRows& query_gradient,
                               const HeadRows& key_gradient, const HeadRows& value_gradient, int64_t gradient_head, BackwardBuffers& buffers) {
    const int64_t width = shape.width, padded = shape.padded_width, shift = document.shift(), queries = document.queries;
    const int64_t all_queries = round_up(queries, kRowUnit);
    pack_rows(query.at(document.first_query, head), query.row_stride, queries, width, shape.scale, buffers.query, all_queries, padded);
    pack_rows(upstream.at(document.first_query, head), upstream.row_stride, queries, width, 1.0f, buffers.upstream, all_queries, padded);
    for (int64_t i = 0; i < all_queries * padded; i++) buffers.query_gradient[i] = 0;
    for (int64_t row = 0; row < all_queries; row++) {
        float sum = 0;
        if (row < queries) {
            const float *o = out.at(document.first_query + row, head), *g = buffers.upstream + row * padded;
#pragma omp simd reduction(+ : sum)
            for (int64_t i = 0; i < width; i++) sum += o[i] * g[i];
        }
        buffers.delta[row] = sum;
        buffers.lse[row] = row < queries ? lse[document.first_query + row] : 0;
    }

    for (int64_t first = 0; first < document.keys; first += kBlock) {
        const int64_t keys = std::min(kBlock, document.keys - first), all_keys = round_up(keys, kRowUnit);
        for (int64_t i = 0; i < all_keys * padded; i++) buffers.key_gradient[i] = buffers.value_gradient[i] = 0;
        // The first query that stands at or after the first key, and the one after the last that still sees the last key.
        const int64_t first_query = std::max<int64_t>(0, first - shift) / kRowUnit * kRowUnit;
        const int64_t last_query = std::min(queries, first + keys - 1 - shift + shape.window);
        for (int64_t block = first_query; block < last_query; block += kBlock) {
            const int64_t all_rows = round_up(std::min(kBlock, last_query - block), kRowUnit);
            for (int64_t group = 0; group < all_rows; group += kRowUnit) {
                const int64_t to = round_up(seen(block + group + kRowUnit - 1 + shift, shape.window, first, keys).end, kPanel);
                float *weights = buffers.weights + group * kBlock, *slopes = buffers.slopes + group * kBlock;
                for (int64_t column = 0; column < to; column += kPanel) {
                    const int64_t panel = (first + column) * width;
                    row_product<Tile, false>(buffers.query + (block + group) * padded, padded, 1, key_panels + panel, kPanel, weights + column, kBlock, kPanel, width);
                    row_product<Tile, false>(buffers.upstream + (block + group) * padded, padded, 1, value_panels + panel, kPanel, slopes + column, kBlock, kPanel, width);
                }
                for (int64_t row = 0; row < kRowUnit; row++) {
                    const int64_t place = block + group + row;
                    slope_row(weights + row * kBlock, slopes + row * kBlock, seen(place + shift, shape.window, first, keys), to, shape.cap, buffers.lse[place], buffers.delta[place]);
                }
                row_product<Tile, true>(slopes, kBlock, 1, key_rows + first * padded, padded, buffers.query_gradient + (block + group) * padded, padded, padded, std::min(to, round_up(keys, kRowUnit)));
            }
            for (int64_t key = 0; key < all_keys; key += kRowUnit) {
                // Queries before it do not see the key; their weights in this column may not even have been computed.
                const int64_t start = std::max<int64_t>(0, first + key - shift - block);
                if (start >= all_rows) continue;
                row_product<Tile, true>(buffers.weights + start * kBlock + key, 1, kBlock, buffers.upstream + (block + start) * padded, padded, buffers.value_gradient + key * padded, padded, padded, all_rows - start);
                row_product<Tile, true>(buffers.slopes + start * kBlock + key, 1, kBlock, buffers.query + (block + start) * padded, padded, buffers.key_gradient + key * padded, padded, padded, all_rows - start);
            }
        }
        for (int64_t key = 0; key < keys; key++) {
            float *dk = key_gradient.at(document.first_key + first + key, gradient_head), *dv = value_gradient.at(document.first_key + first + key, gradient_head);
            const float *from_key = buffers.key_gradient + key * padded, *from_value = buffers.value_gradient + key * padded;
#pragma omp simd
            for (int64_t i = 0; i < width; i++) {
                dk[i] = from_key[i];
                dv[i] = from_value[i];
            }
        }
    }
    for (int64_t row = 0; row < queries; row++) {
        float* to = query_gradient.at(document.first_query + row, head);
        const float* from = buffers.query_gradient + row * padded;
#pragma omp simd
        for (int64_t i = 0; i < width; i++) to[i] = shape.scale * from[i];
    }
}

}  // namespace lorabuild
