// What the kernels of a program keep for the backward pass: the part of the memory formula that is not the model's.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Planning;

/// <param name="NormInputs">Numbers of the compute type that a norm keeps for each of its input beside what is kept anyway.</param>
/// <param name="KeepsAttentionWeights">softmax(Q Kᵀ) is kept whole; false: recomputed by blocks from Q, K, V, output and one number a row (FlashAttention, Dao et al. 2022).</param>
/// <param name="GateValues">Numbers kept for each of the feed-forward's width between its first and its last product.</param>
/// <param name="CopiesAdapterInputs">Each adapted module keeps a copy of its input; false: modules with the same input share it.</param>
public sealed record KernelTraits(int NormInputs, bool KeepsAttentionWeights, int GateValues, bool CopiesAdapterInputs)
{
    /// <summary>Bytes for each logit of all target tokens that are there at once; null: chunks of rows (<see cref="ChunkCopies"/>).</summary>
    public int? BytesOfWholeLogit { get; init; }

    /// <summary>fp32 tensors as large as a chunk of logits that are there at once.</summary>
    public int ChunkCopies { get; init; } = 2;

    /// <summary>Dequantised copies of one linear weight that are there at once.</summary>
    public int DequantizedWeights { get; init; }

    /// <summary>transformers with PEFT on CUDA, bf16: RMSNorm keeps an fp32 copy of its input, attention is FlashAttention or SDPA, silu and its product keep three
    /// operands, PEFT casts the input of every adapted module; logits exist whole in bf16 (2), as fp32 log-probabilities (4), and as their gradient (4).</summary>
    public static KernelTraits Transformers { get; } = new(NormInputs: 2, KeepsAttentionWeights: false, GateValues: 3, CopiesAdapterInputs: true)
    {
        BytesOfWholeLogit = 10,
        DequantizedWeights = 1,
    };

    /// <summary>Products make the norm or the gate that is their input again for the backward pass; of dropout they keep the mask.</summary>
    public bool RecomputesInputs { get; init; }

    /// <summary>The kernels of this program.</summary>
    /// <param name="isFused">Arithmetic is fp32 on a CPU, and the native library has kernels for it (<see cref="HasFusedKernels"/>); else the same in TorchSharp calls.</param>
    /// <param name="hasFusedLinears">And the weights are frozen fp32 tensors, with LoRA or without.</param>
    public static KernelTraits Own(DecoderSpec spec, bool isFused, bool hasFusedLinears) => new(
        NormInputs: 0, // the input is the residual stream, which is kept once
        KeepsAttentionWeights: !isFused,
        GateValues: isFused ? 2 : spec.Activation == Activation.GeluTanh ? 8 : 3, // gate and up; in tensor calls silu(gate) too, of the tanh form its seven factors
        CopiesAdapterInputs: false)
    {
        ChunkCopies = isFused ? 1 : spec.LogitSoftcap is null ? 2 : 3,
        RecomputesInputs = isFused && hasFusedLinears,
    };

    /// <summary>The engine was built with the native library's kernels.</summary>
    public static bool HasFusedKernels =>
#if NATIVE_KERNELS
        true;
#else
        false;
#endif
}
