// The runs whose need of memory is planned and measured: shapes, data, and what of a recipe decides about memory.
namespace LoraBuild.Benchmarks;

/// <param name="Base">Of the recipe, beside base.model; weights: random, or the shape's weights in bf16 from a file.</param>
/// <param name="Lengths">Tokens of the documents; of pairs the better and the worse answer in turns.</param>
internal sealed record MemoryCase(string Name, ModelShape Shape, int[] Lengths, string Base = MemoryCases.Random, string Adapter = MemoryCases.Attention, string Train = "")
{
    public bool HasFile => !Base.Contains(MemoryCases.Random, StringComparison.Ordinal);

    /// <summary>Documents that are evaluated before and after training.</summary>
    public int[] Evaluation { get; init; } = [];

    public bool IsOfPairs { get; init; }
}

internal static class MemoryCases
{
    public const string Random = "weights: random";
    public const string Attention = "r: 16, lora_dropout: 0.0, target_modules: [q_proj, k_proj, v_proj, o_proj]";
    private const string All = "r: 16, lora_dropout: 0.0, target_modules: all-linear";
    private const string Nf4 = "quantization: nf4";
    private const string Full = "type: none";
    private const string Recomputed = "gradient_checkpointing: true";

    /// <summary>The golden model llama-tied, the base model of the quickstart, and those that are timed.</summary>
    private static readonly ModelShape Golden = new("llama-tied", "llama", 3, 60, 6, 2, 120, 250);
    private static readonly ModelShape Tiny = new("tiny-base", "llama", 5, 256, 4, 2, 512, 6144);
    private static readonly ModelShape Smol = ModelShape.SmolLM2;
    private static readonly ModelShape Wide = new("wide", "llama", 8, 1024, 16, 8, 4096, 6144);
    private static readonly ModelShape Qwen = ModelShape.Qwen25;

    private static readonly int[] Fixed = [256, 256, 256, 256];
    private static readonly int[] Ragged = [38, 512, 77, 143];
    private static readonly int[] Short = [24, 31, 17, 40];
    private static readonly int[] Rows = [512, 512];

    public static IReadOnlyList<MemoryCase> Everything { get; } =
    [
        new("golden: lora", Golden, Short, Adapter: All),
        new("golden: dora", Golden, Short, Adapter: $"type: dora, {All}"),
        new("golden: full", Golden, Short, Adapter: Full),
        new("golden: nf4", Golden, Short, Nf4, All),
        new("golden: bf16", Golden, Short, $"{Random}, dtype: bfloat16", All),
        new("tiny: lora", Tiny, Rows, "", "r: 32, lora_dropout: 0.0, target_modules: all-linear"),
        new("tiny: lora with evaluation", Tiny, Rows, "", "r: 32, lora_dropout: 0.0, target_modules: all-linear") { Evaluation = Rows },
        new("tiny: nf4", Tiny, Rows, Nf4, All),
        new("tiny: nf4, dora", Tiny, Rows, Nf4, $"type: dora, {All}"),
        new("tiny: nf4, pissa", Tiny, Rows, Nf4, $"{All}, init_lora_weights: pissa"),
        new("tiny: nf4, modules_to_save", Tiny, Rows, Nf4, $"{All}, modules_to_save: [embed_tokens, lm_head]"),
        new("tiny: dropout", Tiny, Rows, Adapter: "r: 16, lora_dropout: 0.1, target_modules: all-linear"),
        new("tiny: checkpointing", Tiny, Rows, Train: Recomputed),
        new("tiny: checkpointing, dropout, 8 bits", Tiny, Rows, Adapter: "r: 16, lora_dropout: 0.1, target_modules: all-linear", Train: $"{Recomputed}, optim: adamw_8bit"),
        new("tiny: full, 8 × 256", Tiny, [.. Fixed, .. Fixed], Adapter: Full),
        new("tiny: full, adafactor", Tiny, [.. Fixed, .. Fixed], Adapter: Full, Train: "optim: adafactor"),
        new("tiny: token rows", Tiny, Rows, Adapter: $"{All}, trainable_token_indices: [3, 4]"),
        new("wide: nf4", Wide, Rows, Nf4, All),
        new("wide: nf4, checkpointing", Wide, Rows, Nf4, All, Recomputed),
        new("wide: nf4, short", Wide, Short, Nf4, All),
        new("wide: nf4, dora", Wide, Rows, Nf4, $"type: dora, {All}"),
        new("smol: lora, fixed", Smol, Fixed),
        new("smol: lora, ragged", Smol, Ragged),
        new("smol: lora, packed rows", Smol, Rows),
        new("smol: lora on all, dropout", Smol, Fixed, Adapter: "r: 16, lora_dropout: 0.1, target_modules: all-linear"),
        new("smol: evaluation", Smol, Short) { Evaluation = [.. Fixed, .. Fixed, .. Fixed, .. Fixed] },
        new("smol: checkpointing", Smol, Fixed, Train: Recomputed),
        new("smol: checkpointing, offloading", Smol, Fixed, Train: $"{Recomputed}, activation_offloading: true"),
        new("smol: dora", Smol, Fixed, Adapter: $"type: dora, {Attention}"),
        new("smol: pissa", Smol, Fixed, Adapter: $"{Attention}, init_lora_weights: olora"),
        new("smol: modules_to_save", Smol, Fixed, Adapter: $"{Attention}, modules_to_save: [embed_tokens, lm_head]"),
        new("smol: bf16 arithmetic", Smol, Fixed, $"{Random}, dtype: bfloat16"),
        new("smol: bf16 arithmetic, checkpointing", Smol, Fixed, $"{Random}, dtype: bfloat16", Train: Recomputed),
        new("smol: from bf16", Smol, Fixed, ""),
        new("smol: stored bf16", Smol, Fixed, "weights_in_memory: stored"),
        new("smol: nf4", Smol, Fixed, Nf4),
        new("smol: nf4, lora on all", Smol, Fixed, Nf4, All),
        new("smol: nf4, dora", Smol, Fixed, Nf4, $"type: dora, {Attention}"),
        new("smol: nf4, checkpointing, 8 bits", Smol, Fixed, Nf4, All, $"{Recomputed}, optim: adamw_8bit"),
        new("smol: int8", Smol, Fixed, "quantization: int8"),
        new("smol: full", Smol, Fixed, Adapter: Full),
        new("smol: full, checkpointing, 8 bits", Smol, Fixed, Adapter: Full, Train: $"{Recomputed}, optim: adamw_8bit"),
        new("smol: full, paged", Smol, Fixed, Adapter: Full, Train: "optim: paged_adamw_32bit"),
        new("smol: dpo", Smol, Fixed) { IsOfPairs = true },
        new("smol: orpo", Smol, Fixed, Train: "preference: { loss: orpo }") { IsOfPairs = true },
        new("qwen: lora, fixed", Qwen, Fixed),
        new("qwen: lora on all, ragged", Qwen, Ragged, Adapter: All),
        new("qwen: bias all", Qwen, Fixed, Adapter: $"{Attention}, bias: all"),
        new("qwen: checkpointing", Qwen, Fixed, Train: Recomputed),
        new("qwen: bf16 arithmetic", Qwen, Fixed, $"{Random}, dtype: bfloat16"),
        new("qwen: from bf16", Qwen, Fixed, ""),
        new("qwen: stored bf16", Qwen, Fixed, "weights_in_memory: stored"),
        new("qwen: nf4", Qwen, Fixed, Nf4, All),
    ];
}
