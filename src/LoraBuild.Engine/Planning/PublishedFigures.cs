// Memory figures that others have published, beside what the formula says under assumptions that are all named.
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training.Optimizers;

namespace LoraBuild.Engine.Planning;

/// <param name="Row">What was trained, and how.</param>
/// <param name="PublishedBytes">GB as 10⁹ bytes.</param>
/// <param name="Assumptions">What the publication leaves open, and what is taken for it.</param>
/// <param name="Doubt">Why the published figure cannot be exactly right, or what it leaves out; null: nothing to say.</param>
public sealed record PublishedFigure(string Row, double PublishedBytes, MemoryQuestion Question, string Assumptions, string? Doubt = null)
{
    public MemoryPlan Plan { get; } = MemoryPlanner.Plan(Question);

    /// <summary>Ours over theirs.</summary>
    public double Ratio => Plan.PeakBytes / PublishedBytes;

    /// <summary>Tokens of a micro-batch with which the formula comes within <paramref name="tolerance"/> of the figure; null: none.</summary>
    public (long Least, long Most)? TokensWithin(double tolerance)
    {
        long[] fitting = [.. Enumerable.Range(1, 512).Select(k => k * 32L).Where(tokens => Math.Abs(RatioOf(tokens) - 1) <= tolerance)];
        return fitting.Length == 0 ? null : (fitting[0], fitting[^1]);
    }

    private double RatioOf(long tokens) => MemoryPlanner.Plan(Question with { Batch = new BatchShape(tokens, tokens, tokens * tokens) }).PeakBytes / PublishedBytes;
}

public static class PublishedFigures
{
    /// <summary>How far the formula may be from a published figure.</summary>
    public const double Tolerance = 0.15;

    private const double Gigabyte = 1e9;
    private const int HalfPrecision = 2;

    /// <summary>transformers before 4.45: fp32 logits that the output holds, their shifted copy, log-probabilities, and the gradient, 4 bytes each.</summary>
    private const int LogitBytesOf2024 = 16;

    private const string LoraSetting = "bf16 weights and arithmetic, LoRA r = 16 on all linear modules in fp32, AdamW, nothing recomputed, whole logits";
    private const string QloraSetting = "NF4 with double quantisation, embedding and head bf16, LoRA r = 16 on all linear modules in fp32, AdamW, layers recomputed, whole logits";
    private const string TableDoubt =
        "The table names no length or batch. It grows by 3.4 GB (LoRA) and 1.05 GB (QLoRA) for each 10⁹ parameters over the whole range; activations grow with layers · width, weights with layers · width², so no one setting gives such a line. " +
        "No number of tokens fits all rows of a column: it is a rule of thumb, not a measurement of one setting.";

    private static WeightHolding FourBit => new(HalfPrecision, WeightQuantization.FourBit, IsDoublyQuantized: true);

    public static IReadOnlyList<PublishedFigure> All { get; } =
    [
        Lora("0.5B", 2.5, PublishedShapes.Qwen25Of0_5B, "Qwen2.5-0.5B", 512),
        Lora("1.5B", 6, PublishedShapes.Qwen25Of1_5B, "Qwen2.5-1.5B", 512),
        Lora("7B", 25, PublishedShapes.Qwen25Of7B, "Qwen2.5-7B", 1024),
        Lora("13B", 45, PublishedShapes.Llama2Of13B, "Llama-2-13B", 2048),
        Qlora("0.5B", 1, PublishedShapes.Qwen25Of0_5B, "Qwen2.5-0.5B", 256),
        Qlora("1.5B", 2, PublishedShapes.Qwen25Of1_5B, "Qwen2.5-1.5B", 256),
        Qlora("7B", 8, PublishedShapes.Qwen25Of7B, "Qwen2.5-7B", 1024),
        Qlora("13B", 14, PublishedShapes.Llama2Of13B, "Llama-2-13B", 8192),
        Gemma(),
        Sharded("19.6 GB a GPU with host offload", 19.6, isOffloaded: true),
        Sharded("35.6 GB a GPU without offload", 35.6, isOffloaded: false),
    ];

    private static PublishedFigure Lora(string size, double gigabytes, DecoderSpec spec, string model, int tokens) => new(
        $"{size} LoRA", gigabytes * Gigabyte, Adapted(spec, new WeightHolding(HalfPrecision), tokens, Recomputation.None), $"{model}, {tokens} tokens a micro-batch; {LoraSetting}", TableDoubt);

    private static PublishedFigure Qlora(string size, double gigabytes, DecoderSpec spec, string model, int tokens) => new(
        $"{size} QLoRA", gigabytes * Gigabyte, Adapted(spec, FourBit, tokens, Recomputation.Layers), $"{model}, {tokens} tokens a micro-batch; {QloraSetting}", TableDoubt);

    private static MemoryQuestion Adapted(DecoderSpec spec, WeightHolding weights, int tokens, Recomputation recomputation, int r = 16, IReadOnlyList<string>? saved = null) => new()
    {
        Spec = spec,
        Weights = weights,
        Trained = TrainedTensors.OfLora(spec, new LoraOptions { R = r, TargetModulesPattern = AdapterPlan.AllLinear, ModulesToSave = saved ?? [] }),
        Optimizer = new OptimizerMemory(OptimizerKind.AdamW),
        Kernels = KernelTraits.Transformers,
        Batch = BatchShape.Of(1, tokens),
        ComputeBytes = HalfPrecision,
        Recomputation = recomputation,
    };

    private static PublishedFigure Gemma() => new(
        "gemma-3-12b QLoRA, embeddings and head trained",
        22.041 * Gigabyte,
        Adapted(PublishedShapes.Gemma3Of12B, FourBit, 512, Recomputation.Layers, saved: ["embed_tokens", "lm_head"]) with
        {
            CopyBytes = HalfPrecision,
            Optimizer = new OptimizerMemory(OptimizerKind.AdamW8Bit),
        },
        "micro-batch of 1 × 512 tokens; text part; NF4 with double quantisation; LoRA r = 16 on all linear modules in fp32; embedding and head are two trained copies in bf16 beside the frozen tied matrix, their gradients bf16, AdamW with 8-bit moments; layers recomputed; whole logits",
        "Three decimals are how allocators report in GiB: then it is 23.67 GB. With moments in bf16 instead of 8 bits the copies alone would take 8.1 GB of moments, and it would not be 22 GB.");

    private static PublishedFigure Sharded(string published, double gigabytes, bool isOffloaded) => new(
        $"Llama-3-70B QLoRA on 2 × 24 GB, {published}",
        gigabytes * Gigabyte,
        Adapted(PublishedShapes.Llama3Of70B, FourBit, 4096, Recomputation.Layers, r: 8) with
        {
            TrainedBytes = HalfPrecision,
            Kernels = KernelTraits.Transformers with { BytesOfWholeLogit = LogitBytesOf2024 },
            Optimizer = new OptimizerMemory(OptimizerKind.AdamW, MomentBytes: HalfPrecision),
            Sharding = new Sharding(2, GatheredLayers: 2, isOffloaded),
        },
        "2 × 2048 tokens a GPU; NF4 with double quantisation, embedding and head bf16; FSDP: every tensor halved, two layers gathered at once, embedding and head whole through the step; LoRA r = 8 on all linear modules, gradients and moments in bf16, as FSDP's flat parameters have one type; layers recomputed, their inputs on the GPU; whole logits in fp32, with the shifted copy that transformers made in early 2024 (16 bytes each)",
        isOffloaded ? null : "It does not fit into the 24 GB of the title: 70·10⁹ weights of 4 bits are 35 GB, 17.7 GB a GPU before anything is computed. The difference of both figures, 16.0, is that share read in GiB.");
}
