// What the fused linear layers are given.
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Kernels;

/// <summary>The function of a gate; in the order of the native side.</summary>
public enum GateFunction
{
    Silu,
    Gelu,

    /// <summary>Gelu by tanh (Hendrycks and Gimpel 2016).</summary>
    GeluTanh,
}

/// <summary>How an input is made; in the order of the native side.</summary>
public enum FusedInputKind
{
    /// <summary>It is the tensor itself.</summary>
    Plain,

    /// <summary>RMSNorm of it.</summary>
    Norm,

    /// <summary>act(gate) · up of two tensors.</summary>
    Gated,

    /// <summary>The same of the left and the right half of one.</summary>
    GatedHalves,
}

/// <summary>What fused linear layers read.</summary>
/// <param name="X">[rows, in]; [rows, 2 · in] of halves.</param>
/// <param name="Second">The norm's weight [in], up [rows, in], or null.</param>
/// <param name="Eps">Of a norm.</param>
/// <param name="Offset">Of a norm: 1 in Gemma's models, else 0.</param>
/// <param name="Function">Of a gate.</param>
public sealed record FusedInput(FusedInputKind Kind, Tensor X, Tensor Second = null, double Eps = 0, double Offset = 0, GateFunction Function = GateFunction.Silu);

/// <summary>Elements beside each other whose random numbers come from one seed; in the layout of the native side.</summary>
/// <param name="Seed">Of the sequence.</param>
/// <param name="First">Place of the first element in it.</param>
/// <param name="Count">How many.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct SeededRun(long Seed, long First, long Count);

/// <summary>One of several linear layers over the same input.</summary>
/// <param name="Weight">[out, in], frozen; null: <paramref name="Frozen"/> is the weight.</param>
/// <param name="Bias">[out], or null; may be trained.</param>
/// <param name="A">[r, in], or null: no adapter.</param>
/// <param name="B">[out, r].</param>
/// <param name="Scaling">s.</param>
/// <param name="Drops">Where the random numbers of dropout on the input of A come from, [rows, in] from its first element to its last; null: nothing is dropped.</param>
/// <param name="Keep">1 − p.</param>
/// <param name="Frozen">A weight that is no fp32 tensor, and whose products are not rounded; null: <paramref name="Weight"/> is the weight.</param>
public sealed record FusedLinear(
    Tensor Weight, Tensor Bias = null, Tensor A = null, Tensor B = null, double Scaling = 0, SeededRun[] Drops = null, double Keep = 1, TiledWeight Frozen = null);
