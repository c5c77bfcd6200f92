// The CUDA kernels' sources run on the processor (stand_in.h) beside the same formulas written out in double: prints what differs, and how many checks there were.
#include "adamw.cu"
#include "cross_entropy.cu"
#include "dropout.cu"
#include "four_bit.cu"
#include "gated.cu"
#include "int8.cu"
#include "rms_norm.cu"
#include "rope.cu"

#include <algorithm>
#include <cfloat>
#include <random>
#include <string>

using namespace lorabuild::cuda;

namespace {

int failures = 0, checks = 0;

// Numbers as the kernels hold them, sixteen-byte aligned or, where that is asked for, one element off.
struct Buffer {
    Element type;
    std::vector<float> wide;
    std::vector<Bf16> narrow;
    size_t offset;

    Buffer(Element type, size_t count, bool is_aligned = true) : type(type), wide(type == Element::f32 ? count + 8 : 0), narrow(type == Element::bf16 ? count + 16 : 0), offset(0) {
        while (static_cast<bool>(reinterpret_cast<uintptr_t>(data()) % 16)) offset++;
        if (!is_aligned) offset++;
    }

    void* data() { return type == Element::f32 ? static_cast<void*>(wide.data() + offset) : static_cast<void*>(narrow.data() + offset); }
    float operator[](size_t i) const { return type == Element::f32 ? wide[offset + i] : to_float(narrow[offset + i]); }
    void set(size_t i, float value) {
        if (type == Element::f32)
            wide[offset + i] = value;
        else
            narrow[offset + i] = from_float<Bf16>(value);
    }
};

std::mt19937 generator(7);

Buffer random(Element type, size_t count, float spread = 1, bool is_aligned = true) {
    std::normal_distribution<float> normal(0, spread);
    Buffer buffer(type, count, is_aligned);
    for (size_t i = 0; i < count; i++) buffer.set(i, normal(generator));
    return buffer;
}

double tolerance(Element type) { return type == Element::f32 ? 4e-6 : 1.0 / 128; }

// Relative to the largest magnitude expected.
template <typename Expected>
void close(const std::string& name, const Buffer& actual, size_t count, Expected expected, double allowed) {
    if (count == 0) return;
    double largest = 0, worst = 0;
    bool is_finite = true;
    for (size_t i = 0; i < count; i++) {
        const double e = expected(i);
        largest = std::max(largest, std::fabs(e));
        is_finite = is_finite && std::isfinite(actual[i]);
        worst = std::max(worst, std::fabs(e - actual[i]));
    }
    checks++;
    if (is_finite && largest > 0 && worst <= allowed * largest) return;
    failures++;
    std::printf("%s: differs by %g, largest value %g%s\n", name.c_str(), worst, largest, is_finite ? "" : ", and something is not finite");
}

std::string label(const char* kernel, Element type, int64_t a, int64_t b, bool is_aligned) {
    return std::string(kernel) + (type == Element::f32 ? " fp32 " : " bf16 ") + std::to_string(a) + " x " + std::to_string(b) + (is_aligned ? "" : " off alignment");
}

void rms_norm(Element type, int64_t rows, int64_t width, float offset, bool is_aligned) {
    const auto n = static_cast<size_t>(rows * width), r = static_cast<size_t>(rows), w = static_cast<size_t>(width);
    Buffer x = random(type, n, 1, is_aligned), factors = random(type, w), g = random(type, n), y(type, n), dx(type, n), rstd(Element::f32, r);
    Buffer partial(Element::f32, static_cast<size_t>(rms_norm_pieces(rows)) * w), dw(Element::f32, w);
    const std::string name = label("rms_norm", type, rows, width, is_aligned);
    const float eps = 1e-5f;
    failures += rms_norm_forward(type, x.data(), factors.data(), y.data(), static_cast<float*>(rstd.data()), rows, width, eps, offset, nullptr) != 0;
    failures += rms_norm_backward(type, g.data(), x.data(), factors.data(), static_cast<float*>(rstd.data()), dx.data(), rows, width, offset, nullptr) != 0;
    failures += rms_norm_weight(type, g.data(), x.data(), static_cast<float*>(rstd.data()), static_cast<float*>(partial.data()), static_cast<float*>(dw.data()), rows, width, nullptr) != 0;
    std::vector<double> scale(r), mean(r);
    for (size_t row = 0; row < r; row++) {
        double squares = 0;
        for (size_t i = 0; i < w; i++) squares += double(x[row * w + i]) * x[row * w + i];
        scale[row] = 1 / std::sqrt(squares / double(width) + eps);
        for (size_t i = 0; i < w; i++) mean[row] += double(g[row * w + i]) * (offset + factors[i]) * x[row * w + i] * scale[row] / double(width);
    }
    close(name, y, n, [&](size_t i) { return x[i] * scale[i / w] * (offset + factors[i % w]); }, tolerance(type));
    close(name + " dx", dx, n, [&](size_t i) { return scale[i / w] * (g[i] * (offset + factors[i % w]) - x[i] * scale[i / w] * mean[i / w]); }, tolerance(type));
    close(name + " dw", dw, w, [&](size_t i) {
        double sum = 0;
        for (size_t row = 0; row < r; row++) sum += double(g[row * w + i]) * x[row * w + i] * scale[row];
        return sum; }, 2e-5);
}

void rotary(Element type, int64_t tokens, int64_t heads, int64_t head_width, int64_t half) {
    const int64_t stride = heads * head_width + 24;  // a part of a wider projection
    Buffer x = random(type, static_cast<size_t>(tokens * stride)), c(type, static_cast<size_t>(tokens * half)), s(type, static_cast<size_t>(tokens * half));
    for (int64_t i = 0; i < tokens * half; i++) {
        c.set(static_cast<size_t>(i), std::cos(0.37f * static_cast<float>(i)));
        s.set(static_cast<size_t>(i), std::sin(0.37f * static_cast<float>(i)));
    }
    const auto n = static_cast<size_t>(tokens * heads * head_width);
    for (bool inverse : {false, true}) {
        Buffer y(type, n);
        failures += rope(type, x.data(), stride, c.data(), s.data(), y.data(), tokens, heads, head_width, half, inverse, nullptr) != 0;
        close(label(inverse ? "rope back" : "rope", type, tokens, head_width, true), y, n, [&](size_t at) {
            const auto i = static_cast<int64_t>(at) % head_width, head = static_cast<int64_t>(at) / head_width % heads, token = static_cast<int64_t>(at) / head_width / heads;
            auto in = [&](int64_t k) { return double(x[static_cast<size_t>(token * stride + head * head_width + k)]); };
            if (i >= 2 * half) return in(i);
            const auto table = static_cast<size_t>(token * half + i % half);
            const double sine = inverse ? -s[table] : s[table];
            return i < half ? in(i) * c[table] - in(i + half) * sine : in(i) * c[table] + in(i - half) * sine; }, tolerance(type));
    }
}

double bent(Gate kind, double x) {
    if (kind == Gate::silu) return x / (1 + std::exp(-x));
    if (kind == Gate::gelu) return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

void gated(Element type, Gate kind, int64_t rows, int64_t width, bool is_fused) {
    const int64_t stride = is_fused ? 2 * width : width;
    const auto n = static_cast<size_t>(rows * width);
    Buffer both = random(type, static_cast<size_t>(rows * stride), 2), other = random(type, static_cast<size_t>(rows * stride), 2), g = random(type, n), y(type, n), dg(type, n), du(type, n);
    Buffer& ups = is_fused ? both : other;
    const int64_t begin = is_fused ? width : 0;
    void* up = static_cast<char*>(ups.data()) + begin * (type == Element::f32 ? 4 : 2);
    failures += gated_forward(type, kind, both.data(), stride, up, stride, y.data(), rows, width, nullptr) != 0;
    failures += gated_backward(type, kind, g.data(), both.data(), stride, up, stride, dg.data(), du.data(), rows, width, nullptr) != 0;
    auto gate_at = [&](size_t i) { return double(both[i / static_cast<size_t>(width) * static_cast<size_t>(stride) + i % static_cast<size_t>(width)]); };
    auto up_at = [&](size_t i) { return double(ups[i / static_cast<size_t>(width) * static_cast<size_t>(stride) + static_cast<size_t>(begin) + i % static_cast<size_t>(width)]); };
    const std::string name = label("gated", type, rows, width, !is_fused) + " kind " + std::to_string(static_cast<int>(kind));
    close(name, y, n, [&](size_t i) { return bent(kind, gate_at(i)) * up_at(i); }, tolerance(type));
    close(name + " d_up", du, n, [&](size_t i) { return g[i] * bent(kind, gate_at(i)); }, tolerance(type));
    // The slope by differences, so that its formula is not written twice.
    close(name + " d_gate", dg, n, [&](size_t i) { return g[i] * up_at(i) * (bent(kind, gate_at(i) + 1e-5) - bent(kind, gate_at(i) - 1e-5)) / 2e-5; }, tolerance(type));
}

void cross_entropy_of(Element type, int64_t rows, int64_t vocabulary, CrossEntropy options, bool has_weights, float spread, bool has_strange_target = false) {
    const auto n = static_cast<size_t>(rows * vocabulary), r = static_cast<size_t>(rows), v = static_cast<size_t>(vocabulary);
    Buffer logits = random(type, n, spread);
    const Buffer before = logits;
    std::vector<int64_t> targets(r);
    std::vector<float> weights(r), losses(r);
    for (size_t i = 0; i < r; i++) {
        targets[i] = static_cast<int64_t>(generator() % v);
        weights[i] = 0.25f + static_cast<float>(i);
    }
    if (has_strange_target) targets[0] = -100;
    failures += cross_entropy(type, logits.data(), targets.data(), has_weights ? weights.data() : nullptr, losses.data(), rows, vocabulary, options, nullptr) != 0;
    // before[] lost its place when it was copied; values are read through the same offset.
    auto z = [&](size_t i) {
        const double scaled = double(before[i]) * options.logit_scale;
        return options.softcap > 0 ? options.softcap * std::tanh(scaled / options.softcap) : scaled;
    };
    std::vector<double> sums(r), means(r);
    for (size_t row = 0; row < r; row++) {
        double largest = -DBL_MAX, sum = 0;
        for (size_t i = 0; i < v; i++) largest = std::max(largest, z(row * v + i));
        for (size_t i = 0; i < v; i++) {
            sum += std::exp(z(row * v + i) - largest);
            means[row] += z(row * v + i) / double(v);
        }
        sums[row] = largest + std::log(sum);
    }
    auto counts = [&](size_t row) { return targets[row] >= 0; };
    Buffer told(Element::f32, r);
    for (size_t i = 0; i < r; i++) told.set(i, losses[i]);
    const std::string name = label("cross_entropy", type, rows, vocabulary, true);
    const double e = options.smoothing;
    close(name, told, r, [&](size_t row) { return !counts(row) ? 0.0 : (1 - e) * (sums[row] - z(row * v + static_cast<size_t>(targets[row]))) + e * (sums[row] - means[row]); }, 4e-6);
    if (!options.wants_gradient) {
        close(name + " untouched", logits, n, [&](size_t i) { return double(before[i]); }, 0);
        return;
    }
    close(name + " gradient", logits, n, [&](size_t i) {
        const size_t row = i / v;
        if (!counts(row)) return 0.0;
        double slope = std::exp(z(i) - sums[row]) - e / double(v) - (static_cast<int64_t>(i % v) == targets[row] ? 1 - e : 0);
        if (options.softcap > 0) slope *= 1 - std::pow(z(i) / options.softcap, 2);
        return slope * (has_weights ? weights[row] : 1); }, type == Element::f32 ? 2e-5 : 1.0 / 128);
}

void four_bit(Element type, int64_t rows, int64_t columns, Rectangle tile, int64_t block, bool is_nested, int64_t group = 256) {
    const int64_t count = rows * columns, blocks = (count + block - 1) / block;
    tile.columns = columns;
    std::vector<uint8_t> packed(static_cast<size_t>((count + 1) / 2)), codes(static_cast<size_t>(blocks));
    std::vector<float> plain(static_cast<size_t>(blocks)), map(256), absmax(static_cast<size_t>((blocks + group - 1) / group));
    for (auto& value : packed) value = static_cast<uint8_t>(generator());
    for (auto& value : codes) value = static_cast<uint8_t>(generator());
    for (size_t i = 0; i < map.size(); i++) map[i] = static_cast<float>(i) / 128 - 1;
    for (size_t i = 0; i < absmax.size(); i++) absmax[i] = 0.5f + static_cast<float>(i);
    for (size_t i = 0; i < plain.size(); i++) plain[i] = is_nested ? map[codes[i]] * absmax[i / static_cast<size_t>(group)] + 3 : 0.1f + static_cast<float>(i % 7);
    FourBitTable table{};
    for (int i = 0; i < 16; i++) table.values[i] = static_cast<float>(i) / 8 - 0.9f;
    const BlockScales scales = is_nested ? BlockScales{nullptr, codes.data(), map.data(), absmax.data(), 3, group} : BlockScales{plain.data(), nullptr, nullptr, nullptr, 0, 0};
    const auto n = static_cast<size_t>(tile.row_count * tile.column_count);
    Buffer y(type, n);
    failures += four_bit_decode(type, packed.data(), scales, table, block, tile, y.data(), nullptr) != 0;
    close(label(is_nested ? "four_bit nested" : "four_bit", type, tile.row_count, tile.column_count, true), y, n, [&](size_t at) {
        const auto element = static_cast<size_t>((tile.row + static_cast<int64_t>(at) / tile.column_count) * columns + tile.column + static_cast<int64_t>(at) % tile.column_count);
        const int code = element % 2 == 0 ? packed[element / 2] >> 4 : packed[element / 2] & 15;
        const float exact = table.values[code] * plain[element / static_cast<size_t>(block)];
        return double(type == Element::f32 ? exact : rounded<Bf16>(exact)); }, 0);  // bit for bit
}

void int8_of(Element type, int64_t rows, Rectangle tile) {
    std::vector<int8_t> room(static_cast<size_t>(rows * tile.columns) + 16);
    int8_t* codes = room.data() + (16 - reinterpret_cast<uintptr_t>(room.data()) % 16) % 16;
    for (int64_t i = 0; i < rows * tile.columns; i++) codes[i] = static_cast<int8_t>(static_cast<int>(generator() % 255) - 127);
    std::vector<float> scales(static_cast<size_t>(rows));
    for (size_t i = 0; i < scales.size(); i++) scales[i] = 0.3f + static_cast<float>(i);
    const auto n = static_cast<size_t>(tile.row_count * tile.column_count);
    Buffer y(type, n);
    failures += int8_decode(type, codes, scales.data(), tile, y.data(), nullptr) != 0;
    close(label("int8", type, tile.row_count, tile.column_count, true), y, n, [&](size_t at) {
        const int64_t row = tile.row + static_cast<int64_t>(at) / tile.column_count;
        const float exact = static_cast<float>(codes[row * tile.columns + tile.column + static_cast<int64_t>(at) % tile.column_count]) * scales[static_cast<size_t>(row)] * 7.874015718698502e-3f;
        return double(type == Element::f32 ? exact : rounded<Bf16>(exact)); }, 0);  // bit for bit
}

void adamw_of(Element type, const std::vector<int64_t>& sizes) {
    const double rate = 1e-2, decay = 0.1, beta1 = 0.9, beta2 = 0.99, epsilon = 1e-8, scale = 0.5, step = 3;
    std::vector<Buffer> p, g, m, v;
    std::vector<AdamWTensor> tensors;
    for (int64_t size : sizes) {
        const auto n = static_cast<size_t>(size);
        p.push_back(random(type, n));
        g.push_back(random(type, n));
        m.push_back(random(Element::f32, n, 0.1f));
        v.push_back(random(Element::f32, n, 0.1f));
        for (size_t i = 0; i < n; i++) v.back().set(i, std::fabs(v.back()[i]));
    }
    const std::vector<Buffer> p0 = p, m0 = m, v0 = v;
    for (size_t i = 0; i < p.size(); i++)
        tensors.push_back({p[i].data(), i % 5 == 4 ? nullptr : g[i].data(), static_cast<float*>(m[i].data()), static_cast<float*>(v[i].data()), sizes[i], static_cast<float>(1 - rate * decay),
                           static_cast<float>(rate / (1 - std::pow(beta1, step)))});
    const AdamWNumbers numbers{static_cast<float>(scale), static_cast<float>(1 - beta1), static_cast<float>(beta2), static_cast<float>(1 - beta2), static_cast<float>(std::sqrt(1 - std::pow(beta2, step))), static_cast<float>(epsilon)};
    failures += adamw(type, tensors.data(), static_cast<int64_t>(tensors.size()), numbers, nullptr) != 0;
    for (size_t k = 0; k < p.size(); k++) {
        auto slope = [&](size_t i) { return k % 5 == 4 ? 0.0 : g[k][i] * scale; };
        auto first = [&](size_t i) { return beta1 * m0[k][i] + (1 - beta1) * slope(i); };
        auto second = [&](size_t i) { return beta2 * v0[k][i] + (1 - beta2) * slope(i) * slope(i); };
        const auto n = static_cast<size_t>(sizes[k]);
        const std::string name = label("adamw", type, static_cast<int64_t>(k), sizes[k], true);
        close(name + " first", m[k], n, first, 1e-6);
        close(name + " second", v[k], n, second, 1e-6);
        close(name, p[k], n, [&](size_t i) {
            return p0[k][i] * (1 - rate * decay) - rate / (1 - std::pow(beta1, step)) * first(i) / (std::sqrt(second(i)) / std::sqrt(1 - std::pow(beta2, step)) + epsilon); }, type == Element::f32 ? 1e-5 : 1.0 / 128);
    }
}

void dropout(Element type) {
    constexpr size_t n = 100000;
    Buffer once(type, n), again(type, n), other(type, n);
    failures += dropout_mask(type, once.data(), n, 11, 0, 0.9, nullptr) != 0;
    // In two pieces: only the place counts.
    failures += dropout_mask(type, again.data(), 7, 11, 0, 0.9, nullptr) != 0;
    failures += dropout_mask(type, static_cast<char*>(again.data()) + 7 * (type == Element::f32 ? 4 : 2), n - 7, 11, 7, 0.9, nullptr) != 0;
    failures += dropout_mask(type, other.data(), n, 12, 0, 0.9, nullptr) != 0;
    size_t kept = 0, same = 0;
    const float factor = type == Element::f32 ? static_cast<float>(1 / 0.9) : rounded<Bf16>(static_cast<float>(1 / 0.9));
    bool is_factor = true;
    for (size_t i = 0; i < n; i++) {
        kept += once[i] != 0;
        is_factor = is_factor && (once[i] == 0 || once[i] == factor);
        same += once[i] == other[i];
    }
    close(label("dropout", type, n, 0, true), again, n, [&](size_t i) { return once[i] == 0 ? 0 : once[i]; }, 0);
    checks++;
    // 90% of 100,000 has a standard deviation of 95; two independent masks agree at 82%.
    if (kept < 89500 || kept > 90500 || same < 81000 || same > 83000 || !is_factor) {
        failures++;
        std::printf("dropout: %zu kept, %zu as with another seed\n", kept, same);
    }
}

void everything() {
    for (Element type : {Element::f32, Element::bf16}) {
        rms_norm(type, 3, 896, 0, true);
        rms_norm(type, 5, 128, 1, true);
        rms_norm(type, 2, 33, 0, true);
        rms_norm(type, 2, 64, 1, false);
        rms_norm(type, 300, 8, 0, true);
        rms_norm(type, 1, 5000, 0, true);
        rms_norm(type, 3, 2, 0, true);
        rms_norm(type, 7, 257, 1, false);
        rotary(type, 3, 2, 64, 32);
        rotary(type, 4, 3, 96, 24);  // a part of each head turns
        rotary(type, 2, 1, 10, 1);
        rotary(type, 2, 40, 128, 64);  // more components than a block has threads
        rotary(type, 3, 2, 64, 31);    // an odd half
        rotary(type, 2, 3, 16, 0);     // nothing turns
        for (Gate kind : {Gate::silu, Gate::gelu, Gate::gelu_tanh}) {
            gated(type, kind, 3, 256, false);
            gated(type, kind, 3, 48, true);
            gated(type, kind, 2, 33, true);
            gated(type, kind, 2, 5000, false);
        }
        for (bool gradient : {false, true}) {
            cross_entropy_of(type, 3, 1024, {1, 0, 0, gradient}, false, 3);
            cross_entropy_of(type, 2, 5003, {0.25f, 0, 0.1f, gradient}, true, 3);
            cross_entropy_of(type, 2, 640, {1, 30, 0, gradient}, false, 20);
            cross_entropy_of(type, 3, 40, {1, 5, 0.2f, gradient}, true, 4, true);
            cross_entropy_of(type, 1, 151936, {1, 0, 0, gradient}, false, 3);
            cross_entropy_of(type, 1, 262144, {1, 30, 0.1f, gradient}, true, 3);
        }
        for (bool nested : {false, true}) {
            four_bit(type, 16, 128, {128, 0, 16, 0, 128}, 64, nested);
            four_bit(type, 16, 128, {128, 4, 3, 64, 64}, 64, nested);  // a rectangle inside
            four_bit(type, 7, 33, {33, 2, 4, 5, 20}, 64, nested);      // odd widths: blocks cross rows, codes cross bytes
            four_bit(type, 300, 256, {256, 290, 10, 0, 256}, 64, nested);
            four_bit(type, 5, 96, {96, 0, 5, 0, 96}, 48, nested, 3);         // neither block nor group a power of two
            four_bit(type, 3, 5000, {5000, 1, 2, 8, 4984}, 64, nested);      // more than a row of blocks, whose last is not full
            four_bit(type, 20, 8, {8, 1, 19, 0, 8}, 16, nested);             // more rows than a grid has here
        }
        int8_of(type, 16, {128, 0, 16, 0, 128});
        int8_of(type, 16, {128, 3, 5, 64, 32});
        int8_of(type, 7, {33, 1, 5, 4, 29});
        int8_of(type, 2, {5000, 0, 2, 8, 4992});
        int8_of(type, 20, {8, 0, 20, 0, 8});
        std::vector<int64_t> many(60, 40);
        adamw_of(type, many);  // more than one launch
        adamw_of(type, {1, 0, 1000, 33});
    }
    dropout(Element::f32);
    dropout(Element::bf16);
}

}  // namespace

int main() {
    for (bool is_backwards : {false, true}) {
        stand_in::is_backwards = is_backwards;
        everything();
    }
    std::printf("%d checks, %d failures\n", checks, failures);
    return failures == 0 && checks > 0 ? 0 : 1;
}
