// The shapes of public models, from their config.json, for what is published about them.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Planning;

internal static class PublishedShapes
{
    public static DecoderSpec Qwen25Of0_5B { get; } = Qwen(896, 4864, 24, 14, 2, 151936, isTied: true);

    public static DecoderSpec Qwen25Of1_5B { get; } = Qwen(1536, 8960, 28, 12, 2, 151936, isTied: true);

    public static DecoderSpec Qwen25Of7B { get; } = Qwen(3584, 18944, 28, 28, 4, 152064, isTied: false);

    public static DecoderSpec Llama2Of13B { get; } = Llama(5120, 13824, 40, 40, 40, 32000);

    public static DecoderSpec Llama3Of70B { get; } = Llama(8192, 28672, 80, 64, 8, 128256);

    /// <summary>The text part; google/gemma-3-12b.</summary>
    public static DecoderSpec Gemma3Of12B { get; } = Shape(3840, 15360, 48, 16, 8, 262208) with
    {
        HeadDim = 256,
        IsHeadTied = true,
        NormPlacement = NormPlacement.BeforeAndAfter,
        QueryKeyNorm = QueryKeyNorm.PerHead,
        Activation = Activation.GeluTanh,
    };

    private static DecoderSpec Qwen(int hidden, int inner, int layers, int heads, int keyValueHeads, int vocabulary, bool isTied) =>
        Shape(hidden, inner, layers, heads, keyValueHeads, vocabulary) with { IsHeadTied = isTied, HasQkvBias = true };

    private static DecoderSpec Llama(int hidden, int inner, int layers, int heads, int keyValueHeads, int vocabulary) =>
        Shape(hidden, inner, layers, heads, keyValueHeads, vocabulary);

    private static DecoderSpec Shape(int hidden, int inner, int layers, int heads, int keyValueHeads, int vocabulary) => new()
    {
        ModelType = "llama",
        VocabSize = vocabulary,
        HiddenSize = hidden,
        IntermediateSize = inner,
        HeadCount = heads,
        KeyValueHeadCount = keyValueHeads,
        HeadDim = hidden / heads,
        Layers = [.. Enumerable.Repeat(new LayerSpec(0, null), layers)],
        Ropes = [],
        NormEps = 1e-6,
        IsHeadTied = false,
        AttentionScale = 1,
    };
}
