// What TorchSharp has no call for: layers of a decoder as one function each, forward and backward, in the native library.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>
/// Differentiable functions over fp32 tensors in the processor's memory. Each saves for the backward pass only what it must. They differ from
/// the same arithmetic in tensor calls by rounding; the number of threads changes no bit but where the libraries of matrix products sum in another order.
/// </summary>
public static class FusedKernels
{
    /// <summary>Whether the kernels compute with tensors like this one.</summary>
    public static bool Fit(Tensor tensor) => tensor.dtype == ScalarType.Float32 && tensor.device_type == TorchSharp.DeviceType.CPU;

    /// <summary>y = x · rsqrt(mean(x²) + ε) · (offset + w) (Zhang and Sennrich 2019).</summary>
    /// <param name="x">[…, width].</param>
    /// <param name="weight">[width].</param>
    /// <param name="eps">Added to the mean of squares.</param>
    /// <param name="offset">1 in Gemma's models, else 0.</param>
    /// <returns>[…, width].</returns>
    public static Tensor RmsNorm(Tensor x, Tensor weight, double eps, double offset) =>
        NativeCall.Wrap(NativeMethods.lb_rms_norm(Tensor.HandleOf(x), Tensor.HandleOf(weight), eps, offset, out nint result), result);

    /// <summary>act(gate) · up (SwiGLU and GeGLU, Shazeer 2020).</summary>
    /// <param name="gate">[rows, width]; like <paramref name="up"/> it may be a narrow view.</param>
    /// <param name="up">[rows, width].</param>
    /// <returns>[rows, width].</returns>
    public static Tensor GatedActivation(Tensor gate, Tensor up, GateFunction function) =>
        NativeCall.Wrap(NativeMethods.lb_gated_activation(Tensor.HandleOf(gate), Tensor.HandleOf(up), (long)function, out nint result), result);

    /// <summary>
    /// y_i = n W_iᵀ + b_i + s_i · (drop_i(n) A_iᵀ) B_iᵀ for linear layers over one input n, with one buffer for its gradient. W, dense or held compressed, gets no gradient. Kept are
    /// what n is made of and the low-rank products; where no layer has an adapter, a plain input is not kept at all.
    /// </summary>
    /// <param name="input">What n is.</param>
    /// <param name="terms">The layers, at least one; all with the same in-width.</param>
    /// <returns>[rows, out_i] each, new tensors.</returns>
    public static unsafe Tensor[] Linears(FusedInput input, IReadOnlyList<FusedLinear> terms)
    {
        NativeLinearInput native = new()
        {
            Kind = (long)input.Kind, X = Raw(input.X), Second = Raw(input.Second), Eps = input.Eps, Offset = input.Offset, Function = (long)input.Function,
        };
        NativeLinear[] parts = new NativeLinear[terms.Count];
        SeededRun[] drops = [.. terms.SelectMany(t => t.Drops ?? [])];
        nint[] results = new nint[parts.Length];
        fixed (SeededRun* firstDrop = drops)
        fixed (NativeLinear* first = parts)
        fixed (nint* outputs = results)
        {
            SeededRun* drop = firstDrop;
            for (int i = 0; i < parts.Length; i++)
            {
                FusedLinear term = terms[i];
                parts[i] = new()
                {
                    Weight = Raw(term.Weight), Frozen = term.Frozen?.Handle.DangerousGetHandle() ?? 0, Bias = Raw(term.Bias), A = Raw(term.A), B = Raw(term.B), Drops = drop,
                    DropCount = term.Drops?.Length ?? 0, Scaling = term.Scaling, Keep = term.Keep,
                };
                drop += parts[i].DropCount;
            }

            NativeCall.Check(NativeMethods.lb_linear_group(&native, first, parts.Length, outputs));
        }

        GC.KeepAlive(input);
        GC.KeepAlive(terms);
        return [.. results.Select(r => new Tensor(r))];
    }

    private static nint Raw(Tensor tensor) => tensor is null ? 0 : tensor.Handle;
}
