// The functions of networks: activations, losses, dropout, attention.
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        public enum Reduction : long
        {
            None = 0,
            Mean = 1,
            Sum = 2,
        }

        public static partial class functional
        {
            /// <summary>y = x Wᵀ + b</summary>
            /// <param name="input">[…, in]</param>
            /// <param name="weights">[out, in]</param>
            /// <param name="bias">[out] or null</param>
            public static Tensor linear(Tensor input, Tensor weights, Tensor bias = null) =>
                Wrap(lb_linear(input.handle, weights.handle, Tensor.HandleOf(bias), out nint r), r);

            /// <summary>x σ(x)</summary>
            public static Tensor silu(Tensor x, bool inplace = false) => inplace ? x.silu_() : x.silu();

            /// <summary>x Φ(x), with the error function.</summary>
            public static Tensor gelu(Tensor x) => x.gelu();

            public static Tensor relu(Tensor x, bool inplace = false) => inplace ? x.relu_() : x.relu();

            public static Tensor sigmoid(Tensor x) => x.sigmoid();

            public static Tensor tanh(Tensor x, bool inplace = false) => inplace ? x.tanh_() : x.tanh();

            public static Tensor softmax(Tensor input, long dim, ScalarType? dtype = null) => input.softmax(dim, dtype);

            public static Tensor log_softmax(Tensor x, long dim) => x.log_softmax(dim);

            public static Tensor dropout(Tensor input, double p = 0.5, bool training = true, bool inplace = false)
            {
                if (!inplace) return Wrap(lb_dropout(input.handle, p, training ? 1 : 0, out nint r), r);
                Check(lb_dropout_(input.handle, p, training ? 1 : 0));
                return input;
            }

            /// <param name="input">Logits [N, C] (or [C], [N, C, d…]).</param>
            /// <param name="target">int64 classes [N]; <paramref name="ignore_index"/> counts neither in the sum nor in the mean's divisor.</param>
            public static Tensor cross_entropy(
                Tensor input, Tensor target, Tensor weight = null, long ignore_index = -100, Reduction reduction = Reduction.Mean, double label_smoothing = 0) =>
                Wrap(lb_cross_entropy(input.handle, target.handle, Tensor.HandleOf(weight), ignore_index, (long)reduction, label_smoothing, out nint r), r);

            public static Tensor nll_loss(Tensor input, Tensor target, Tensor weight = null, Reduction reduction = Reduction.Mean) =>
                Wrap(lb_nll_loss(input.handle, target.handle, Tensor.HandleOf(weight), (long)reduction, out nint r), r);

            public static Tensor mse_loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean) =>
                Wrap(lb_mse_loss(input.handle, target.handle, (long)reduction, out nint r), r);

            public static Tensor layer_norm(Tensor input, long[] normalized_shape, Tensor weight = null, Tensor bias = null, double eps = 1e-05) =>
                Wrap(lb_layer_norm(input.handle, normalized_shape, normalized_shape.Length, Tensor.HandleOf(weight), Tensor.HandleOf(bias), eps, out nint r), r);

            public static Tensor one_hot(Tensor x, long num_classes = -1) => Wrap(lb_one_hot(x.handle, num_classes, out nint r), r);

            /// <summary>softmax(q kᵀ/√d + mask) v</summary>
            /// <param name="query">[…, queries, d]</param>
            /// <param name="key">[…, keys, d]</param>
            /// <param name="value">[…, keys, e]</param>
            /// <param name="attn_mask">Added to the scores, or a bool tensor that is true where attention is allowed; not together with <paramref name="is_casual"/>.</param>
            public static Tensor scaled_dot_product_attention(
                Tensor query, Tensor key, Tensor value, Tensor attn_mask = null, double p = 0, bool is_casual = false) =>
                Wrap(lb_attention(query.handle, key.handle, value.handle, Tensor.HandleOf(attn_mask), p, is_casual ? 1 : 0, out nint r), r);
        }
    }
}
