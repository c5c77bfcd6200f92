// Attention of a packed batch, forward and backward: causal inside each document, grouped heads, a cap, a window. Scores never leave the caches.
// It saves q, k, v, the output, and one number a query and head.
#include "attention_tiles.h"

#include <ATen/ops/empty.h>

#include <atomic>
#include <memory>
#include <numeric>

namespace {

constexpr int64_t kWidest = 512;
constexpr int64_t kQueriesOfPiece = 256;  // of a document's queries, what one thread takes at a time in the forward pass
constexpr int64_t kNoWindow = int64_t{1} << 40;

// Memory that a thread keeps from call to call, on cache lines.
float* scratch(int64_t floats) {
    thread_local std::unique_ptr<float[]> memory;
    thread_local int64_t size = 0;
    constexpr int64_t line = 16;
    if (size < floats + line) {
        memory.reset();
        size = 0;
        memory.reset(new float[static_cast<size_t>(floats + line)]);
        size = floats + line;
    }
    const auto address = reinterpret_cast<uintptr_t>(memory.get());
    return reinterpret_cast<float*>((address + 63) / 64 * 64);
}

// Every thread takes the next piece when it is done with one. Which thread computes a piece changes nothing in its result.
template <typename F>
void share_out(int64_t pieces, const F& body) {
    std::atomic<int64_t> next{0};
    at::parallel_for(0, std::min<int64_t>(pieces, at::get_num_threads()), 1, [&](int64_t begin, int64_t end) {
        for (int64_t thread = begin; thread < end; thread++) {
            for (int64_t piece = next++; piece < pieces; piece = next++) body(piece);
        }
    });
}

struct Piece {
    int64_t document;
    int64_t head;
    int64_t begin;
    int64_t end;
    int64_t cost;
};

// The longest first, so that a short one comes last and no thread waits long.
void sort_by_cost(std::vector<Piece>& pieces) {
    std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.cost > b.cost; });
}

struct Problem {
    AttentionShape shape;
    std::vector<Sequence> documents;
};

Problem describe(const at::Tensor& q, const at::Tensor& k, at::IntArrayRef query_starts, at::IntArrayRef key_starts, double scale, double cap, int64_t window) {
    Problem problem;
    AttentionShape& shape = problem.shape;
    shape.heads = q.size(1);
    shape.key_heads = k.size(1);
    shape.width = q.size(2);
    shape.padded_width = round_up(shape.width, kColumnUnit);
    shape.scale = static_cast<float>(scale);
    shape.cap = static_cast<float>(cap);
    shape.window = window > 0 ? window : kNoWindow;
    shape.packed_rows = 0;
    for (size_t i = 0; i + 1 < query_starts.size(); i++) {
        const Sequence document{query_starts[i], query_starts[i + 1] - query_starts[i], key_starts[i], key_starts[i + 1] - key_starts[i], shape.packed_rows};
        TORCH_CHECK(document.queries > 0 && document.queries <= document.keys, "a document has ", document.queries, " queries and ", document.keys, " keys");
        problem.documents.push_back(document);
        shape.packed_rows += round_up(document.keys, kPanel);
    }
    return problem;
}

HeadRows heads_of(const at::Tensor& x, int64_t width) {
    // [rows, heads, width] at any stride, or [rows, heads · width].
    return x.dim() == 3 ? HeadRows{x.data_ptr<float>(), x.stride(0), x.stride(1)} : HeadRows{x.data_ptr<float>(), x.stride(0), width};
}

at::Tensor with_contiguous_heads(const at::Tensor& x) { return x.stride(2) == 1 ? x : x.contiguous(); }

LB_CLONES void pack_document(const AttentionShape& shape, const Sequence& document, int64_t head, const HeadRows& x, float* rows, float* panels) {
    const float* in = x.at(document.first_key, head);
    const int64_t first = head * shape.packed_rows + document.packed;
    if (rows != nullptr)
        pack_rows(in, x.row_stride, document.keys, shape.width, 1.0f, rows + first * shape.padded_width, round_up(document.keys, kPanel), shape.padded_width);
    if (panels != nullptr) pack_panels(in, x.row_stride, document.keys, shape.width, panels + first * shape.width);
}

// Copies of keys or values that lie as the products read them; once for all query heads that share them.
struct Packed {
    at::Tensor rows;    // [key heads, packed rows, padded width]
    at::Tensor panels;  // [key heads, packed rows / kPanel, width, kPanel]
};

Packed pack(const Problem& problem, const at::Tensor& x, bool has_rows, bool has_panels) {
    const AttentionShape& shape = problem.shape;
    Packed packed;
    if (has_rows) packed.rows = at::empty({shape.key_heads, shape.packed_rows, shape.padded_width}, x.options());
    if (has_panels) packed.panels = at::empty({shape.key_heads, shape.packed_rows, shape.width}, x.options());
    float* rows = has_rows ? packed.rows.data_ptr<float>() : nullptr;
    float* panels = has_panels ? packed.panels.data_ptr<float>() : nullptr;
    const HeadRows heads = heads_of(x, shape.width);
    const int64_t documents = static_cast<int64_t>(problem.documents.size());
    share_out(documents * shape.key_heads, [&](int64_t piece) {
        pack_document(shape, problem.documents[static_cast<size_t>(piece / shape.key_heads)], piece % shape.key_heads, heads, rows, panels);
    });
    return packed;
}

LB_CLONES void attend_wide(const AttentionShape& shape, const Sequence& document, const Piece& piece, const HeadRows& query, const float* panels, const float* rows,
                           const HeadRows& out, float* lse, ForwardBuffers& buffers) {
    attend<WideTile>(shape, document, piece.head, piece.begin, piece.end, query, panels, rows, out, lse, buffers);
}

LB_CLONES void attend_narrow(const AttentionShape& shape, const Sequence& document, const Piece& piece, const HeadRows& query, const float* panels, const float* rows,
                             const HeadRows& out, float* lse, ForwardBuffers& buffers) {
    attend<NarrowTile>(shape, document, piece.head, piece.begin, piece.end, query, panels, rows, out, lse, buffers);
}

void forward(const Problem& problem, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse) {
    const AttentionShape& shape = problem.shape;
    const Packed keys = pack(problem, k, false, true), values = pack(problem, v, true, false);
    std::vector<Piece> pieces;
    for (size_t d = 0; d < problem.documents.size(); d++) {
        const Sequence& document = problem.documents[d];
        for (int64_t begin = 0; begin < document.queries; begin += kQueriesOfPiece) {
            const int64_t end = std::min(document.queries, begin + kQueriesOfPiece);
            const int64_t cost = (end - begin) * std::min(end + document.shift(), shape.window + kForwardKeys);
            for (int64_t head = 0; head < shape.heads; head++) pieces.push_back({static_cast<int64_t>(d), head, begin, end, cost});
        }
    }
    sort_by_cost(pieces);
    const HeadRows query = heads_of(q, shape.width), mixed = heads_of(out, shape.width);
    const float *panels = keys.panels.data_ptr<float>(), *rows = values.rows.data_ptr<float>();
    float* sums = lse.data_ptr<float>();
    const int64_t queries = q.size(0);
    const auto kernel = has_wide_registers() ? attend_wide : attend_narrow;
    share_out(static_cast<int64_t>(pieces.size()), [&](int64_t i) {
        const Piece& piece = pieces[static_cast<size_t>(i)];
        const Sequence& document = problem.documents[static_cast<size_t>(piece.document)];
        const int64_t first = piece.head / shape.group() * shape.packed_rows + document.packed;
        ForwardBuffers buffers;
        buffers.place(scratch(ForwardBuffers::floats(shape.padded_width)), shape.padded_width);
        kernel(shape, document, piece, query, panels + first * shape.width, rows + first * shape.padded_width, mixed, sums + piece.head * queries, buffers);
    });
}

// Where the gradients of keys and values go: each query head has a part of its own, and whoever is last of those that share a key head adds them up, in
// the order of the heads. So no two threads add to the same number.
struct KeyGradients {
    HeadRows keys;
    HeadRows values;
};

LB_CLONES void sum_parts(const AttentionShape& shape, const Sequence& document, int64_t key_head, const KeyGradients& parts, const KeyGradients& sums) {
    for (int64_t row = document.first_key; row < document.first_key + document.keys; row++) {
        float *dk = sums.keys.at(row, key_head), *dv = sums.values.at(row, key_head);
        for (int64_t member = 0; member < shape.group(); member++) {
            const int64_t head = key_head * shape.group() + member;
            const float *from_key = parts.keys.at(row, head), *from_value = parts.values.at(row, head);
#pragma omp simd
            for (int64_t i = 0; i < shape.width; i++) {
                dk[i] = (member == 0 ? 0 : dk[i]) + from_key[i];
                dv[i] = (member == 0 ? 0 : dv[i]) + from_value[i];
            }
        }
    }
}

struct BackwardInputs {
    HeadRows query;
    HeadRows out;
    HeadRows upstream;
    const float* key_rows;
    const float* key_panels;
    const float* value_panels;
    const float* lse;
};

LB_CLONES void backward_wide(const AttentionShape& shape, const Sequence& document, int64_t head, const BackwardInputs& in, const HeadRows& query_gradient, const KeyGradients& keys, BackwardBuffers& buffers) {
    attend_backward<WideTile>(shape, document, head, in.query, in.key_rows, in.key_panels, in.value_panels, in.out, in.upstream, in.lse, query_gradient, keys.keys, keys.values, head, buffers);
}

LB_CLONES void backward_narrow(const AttentionShape& shape, const Sequence& document, int64_t head, const BackwardInputs& in, const HeadRows& query_gradient, const KeyGradients& keys, BackwardBuffers& buffers) {
    attend_backward<NarrowTile>(shape, document, head, in.query, in.key_rows, in.key_panels, in.value_panels, in.out, in.upstream, in.lse, query_gradient, keys.keys, keys.values, head, buffers);
}

variable_list backward(const Problem& problem, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse, const at::Tensor& upstream) {
    const AttentionShape& shape = problem.shape;
    const Packed keys = pack(problem, k, true, true), values = pack(problem, v, false, true);
    const at::Tensor dq = at::empty(q.sizes(), q.options()), dk = at::empty(k.sizes(), k.options()), dv = at::empty(v.sizes(), v.options());
    const bool is_shared = shape.group() > 1;
    const at::Tensor key_parts = is_shared ? at::empty({2, k.size(0), shape.heads, shape.width}, q.options()) : at::Tensor();
    const KeyGradients sums{heads_of(dk, shape.width), heads_of(dv, shape.width)};
    const KeyGradients parts = is_shared ? KeyGradients{heads_of(key_parts[0], shape.width), heads_of(key_parts[1], shape.width)} : sums;
    std::vector<Piece> pieces;
    for (size_t d = 0; d < problem.documents.size(); d++) {
        const Sequence& document = problem.documents[d];
        const int64_t cost = document.queries * std::min(document.keys, shape.window + kBlock);
        for (int64_t head = 0; head < shape.heads; head++) pieces.push_back({static_cast<int64_t>(d), head, 0, document.queries, cost});
    }
    sort_by_cost(pieces);
    const int64_t pairs = static_cast<int64_t>(problem.documents.size()) * shape.key_heads;
    const std::unique_ptr<std::atomic<int64_t>[]> open(new std::atomic<int64_t>[static_cast<size_t>(pairs)]);
    for (int64_t i = 0; i < pairs; i++) open[static_cast<size_t>(i)] = shape.group();

    const HeadRows query = heads_of(q, shape.width), mixed = heads_of(out, shape.width), gradient = heads_of(upstream, shape.width), query_gradient = heads_of(dq, shape.width);
    const float *key_rows = keys.rows.data_ptr<float>(), *key_panels = keys.panels.data_ptr<float>(), *value_panels = values.panels.data_ptr<float>(), *all_lse = lse.data_ptr<float>();
    const auto kernel = has_wide_registers() ? backward_wide : backward_narrow;
    share_out(static_cast<int64_t>(pieces.size()), [&](int64_t i) {
        const Piece& piece = pieces[static_cast<size_t>(i)];
        const Sequence& document = problem.documents[static_cast<size_t>(piece.document)];
        const int64_t key_head = piece.head / shape.group(), first = key_head * shape.packed_rows + document.packed;
        BackwardBuffers buffers;
        buffers.place(scratch(BackwardBuffers::floats(document.queries, shape.padded_width)), document.queries, shape.padded_width);
        const BackwardInputs in{query, mixed, gradient, key_rows + first * shape.padded_width, key_panels + first * shape.width, value_panels + first * shape.width, all_lse + piece.head * q.size(0)};
        kernel(shape, document, piece.head, in, query_gradient, parts, buffers);
        if (is_shared && open[static_cast<size_t>(piece.document * shape.key_heads + key_head)].fetch_sub(1) == 1) sum_parts(shape, document, key_head, parts, sums);
    });
    return {dq, dk, dv};
}

struct Attention final : torch::autograd::Function<Attention> {
    static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, at::IntArrayRef query_starts, at::IntArrayRef key_starts,
                              double scale, double cap, int64_t window) {
        Timed timed(Part::attention, false);
        const at::Tensor q = with_contiguous_heads(query), k = with_contiguous_heads(key), v = with_contiguous_heads(value);
        const at::Tensor out = at::empty({q.size(0), q.size(1) * q.size(2)}, q.options());
        const at::Tensor lse = at::empty({q.size(1), q.size(0)}, q.options());
        ::forward(describe(q, k, query_starts, key_starts, scale, cap, window), q, k, v, out, lse);
        context->save_for_backward({q, k, v, out, lse});
        context->saved_data["query_starts"] = query_starts.vec();
        context->saved_data["key_starts"] = key_starts.vec();
        context->saved_data["scale"] = scale;
        context->saved_data["cap"] = cap;
        context->saved_data["window"] = window;
        return out;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        Timed timed(Part::attention, true);
        const variable_list saved = context->get_saved_variables();
        auto& data = context->saved_data;
        const std::vector<int64_t> query_starts = data["query_starts"].toIntVector(), key_starts = data["key_starts"].toIntVector();
        const Problem problem = describe(saved[0], saved[1], query_starts, key_starts, data["scale"].toDouble(), data["cap"].toDouble(), data["window"].toInt());
        const at::Tensor upstream = gradients[0].stride(1) == 1 ? gradients[0] : gradients[0].contiguous();
        variable_list result = ::backward(problem, saved[0], saved[1], saved[2], saved[3], saved[4], upstream);
        result.resize(8);
        return result;
    }
};

}  // namespace

// q [Q, heads, width], k and v [K, keyHeads, width], fp32 on the CPU, rows and heads at any stride; documents + 1 starts of rows each. Queries are the last
// of their document's keys. cap 0: none; window 0: none. out [Q, heads · width].
LB_API int lb_packed_attention(Handle q, Handle k, Handle v, const int64_t* query_starts, const int64_t* key_starts, int64_t documents, double scale, double cap, int64_t window, Handle* out) {
    return guard([&] {
        TORCH_CHECK(is_plain_float(get(q)) && is_plain_float(get(k)) && is_plain_float(get(v)), "attention is for fp32 in the processor's memory");
        TORCH_CHECK(get(q).dim() == 3 && get(k).dim() == 3 && get(v).sizes() == get(k).sizes() && get(q).size(2) == get(k).size(2) && get(q).size(1) % get(k).size(1) == 0 && get(q).size(2) <= kWidest,
                    "attention of shapes ", get(q).sizes(), ", ", get(k).sizes(), " and ", get(v).sizes());
        const at::IntArrayRef queries = ints(query_starts, documents + 1), keys = ints(key_starts, documents + 1);
        TORCH_CHECK(queries.front() == 0 && keys.front() == 0 && queries.back() == get(q).size(0) && keys.back() == get(k).size(0), "documents do not cover the rows");
        *out = wrap(Attention::apply(get(q), get(k), get(v), queries, keys, scale, cap, window));
    });
}
