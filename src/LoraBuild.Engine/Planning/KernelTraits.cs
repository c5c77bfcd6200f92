// What the kernels of a program keep for the backward pass: the part of the memory formula that is not the model's.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Planning;

/// <param name="NormInputs">Numbers of the compute type that a norm keeps for each of its input in place of the input; 0: the input, which is kept once.</param>
/// <param name="KeepsAttentionWeights">softmax(Q Kᵀ) is kept whole; false: recomputed by blocks from Q, K, V, output and one number a row (FlashAttention, Dao et al. 2022).</param>
/// <param name="GateValues">Numbers kept for each of the feed-forward's width between its first and its last product.</param>
/// <param name="CopiesAdapterInputs">Each adapted module keeps a copy of its input; false: modules with the same input share it.</param>
public sealed record KernelTraits(int NormInputs, bool KeepsAttentionWeights, int GateValues, bool CopiesAdapterInputs)
{
    /// <summary>Bytes for each logit of all target tokens that are there at once; null: chunks of rows (<see cref="ChunkCopies"/>).</summary>
    public int? BytesOfWholeLogit { get; init; }

    /// <summary>fp32 tensors as large as a chunk of logits that are there at once.</summary>
    public int ChunkCopies { get; init; } = 2;

    /// <summary>Tensors as large as the hidden states of all tokens that are there with a chunk of logits: before and after the final norm, those with a target, their gradient.</summary>
    public int HeadVectors { get; init; }

    /// <summary>Dequantised copies of one linear weight that are there at once.</summary>
    public int DequantizedWeights { get; init; }

    /// <summary>Numbers of that copy, at most; null: a weight is decoded whole.</summary>
    public long? MostDecoded { get; init; }

    /// <summary>The loss writes over one buffer of logits in the type of the model, of <see cref="HeadCrossEntropy.RowsOfDeviceChunk"/> rows.</summary>
    public bool HasDeviceHead { get; init; }

    /// <summary>transformers with PEFT on CUDA, bf16: RMSNorm keeps an fp32 copy of its input, attention is FlashAttention or SDPA, silu and its product keep three
    /// operands, PEFT casts the input of every adapted module; logits exist whole in bf16 (2), as fp32 log-probabilities (4), and as their gradient (4).</summary>
    public static KernelTraits Transformers { get; } = new(NormInputs: 2, KeepsAttentionWeights: false, GateValues: 3, CopiesAdapterInputs: true)
    {
        BytesOfWholeLogit = 10,
        DequantizedWeights = 1,
    };

    /// <summary>Products with frozen weights and adapters that are LoRA and no more are one function with what makes their input, the norm or the gate: it is made again for the backward pass.</summary>
    public bool HasFusedLinears { get; init; }

    /// <summary>The layers' other functions are fused, too.</summary>
    public bool IsFused { get; init; }

    /// <summary>Arithmetic is narrower than fp32, and what widens it stays: softmax and its input, the inputs of adapters.</summary>
    public bool KeepsWideCopies { get; init; }

    /// <summary>The kernels of this program on a CPU.</summary>
    /// <param name="isFused">Arithmetic is fp32 and the native library has kernels for it (<see cref="HasFusedKernels"/>); else the same in TorchSharp calls.</param>
    /// <param name="hasFusedLinears">And the frozen weights are held as those kernels take them.</param>
    /// <param name="computeBytes">Of one number in arithmetic.</param>
    public static KernelTraits Own(DecoderSpec spec, bool isFused, bool hasFusedLinears, int computeBytes = sizeof(float)) => new(
        NormInputs: isFused ? 0 : 2 * sizeof(float) / computeBytes, // in tensor calls: the input in fp32 and its squares
        KeepsAttentionWeights: !isFused,
        GateValues: isFused ? 2 : spec.Activation == Activation.GeluTanh ? 8 : 3, // gate and up; in tensor calls silu(gate) too, of the tanh form its seven factors
        CopiesAdapterInputs: false)
    {
        ChunkCopies = ChunkCopiesOf(spec, isFused, computeBytes),
        HeadVectors = 4,
        IsFused = isFused,
        HasFusedLinears = isFused && hasFusedLinears,
        KeepsWideCopies = computeBytes < sizeof(float),
    };

    /// <summary>And on a CUDA device.</summary>
    public static KernelTraits OwnOnCuda(DecoderSpec spec) => Own(spec, isFused: false, hasFusedLinears: false) with
    {
        NormInputs = 0,
        DequantizedWeights = 1,
        MostDecoded = HasFusedKernels ? DecodedOnCuda : null,
        HasDeviceHead = HasFusedKernels,
    };

    // frozen_linear.cpp: 64 MB in bf16.
    private const long DecodedOnCuda = 32 << 20;

    /// <summary>The engine was built with the native library's kernels.</summary>
    public static bool HasFusedKernels =>
#if NATIVE_KERNELS
        true;
#else
        false;
#endif

    /// <summary>The fused loss writes the gradient over the logits, which of a narrow model are the widened copy of a buffer, and are narrowed again: 2 + 4 + 2 bytes.</summary>
    private static int ChunkCopiesOf(DecoderSpec spec, bool isFused, int computeBytes)
    {
        if (isFused)
            return 1;
        return (HasFusedKernels && computeBytes < sizeof(float)) || spec.LogitSoftcap is null ? 2 : 3;
    }
}
