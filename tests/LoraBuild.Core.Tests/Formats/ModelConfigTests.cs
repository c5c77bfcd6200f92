// Both config layouts of every golden model mean the same; absent keys have their model type's default; nonsense is refused.
using System.Text.Json;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Tests.Formats;

public sealed class ModelConfigTests
{
    private const string Minimal = """
        {"model_type":"llama","hidden_size":64,"intermediate_size":96,"num_hidden_layers":2,"num_attention_heads":4,"vocab_size":100}
        """;

    public static TheoryData<string> GoldenModels() =>
        [.. Directory.GetDirectories(FormatsGolden.File("configs")).Where(d => File.Exists(Path.Combine(d, "config.v4.json"))).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(GoldenModels))]
    public void Both_layouts_mean_the_same(string model)
    {
        ModelConfig five = ModelConfig.Load(FormatsGolden.File("configs", model));
        ModelConfig four = ModelConfig.LoadFile(FormatsGolden.File("configs", model, "config.v4.json"));
        Assert.Equal(Text(five), Text(four));
    }

    [Fact]
    public void Sliding_layers_follow_each_family()
    {
        Assert.Equal("SFSF", Layers("gemma2"));
        Assert.Equal("SSSSSFS", Layers("gemma3-text"));
        Assert.Equal("SFS", Layers("gemma3-text-linear"));
        Assert.Equal("FSS", Layers("qwen2-swa-yarn"));
        Assert.Equal("FFF", Layers("qwen2-tied"));
        Assert.Equal("SSS", Layers("mistral-swa"));
        Assert.Equal("SS", Layers("phi3"));
        Assert.Null(ModelConfig.Load(FormatsGolden.File("configs", "qwen2-tied")).SlidingWindow);
    }

    [Fact]
    public void Rope_is_read_for_each_kind_of_layer()
    {
        ModelConfig gemma = ModelConfig.Load(FormatsGolden.File("configs", "gemma3-text-linear"));
        Assert.Equal(("linear", 8.0, 1e6), (gemma.Rope.Type, gemma.Rope.Factor, gemma.Rope.Theta));
        Assert.Equal(("default", 1.0, 1e4), (gemma.SlidingRope.Type, gemma.SlidingRope.Factor, gemma.SlidingRope.Theta));
        RopeConfig llama = ModelConfig.Load(FormatsGolden.File("configs", "llama-untied-rope3")).Rope;
        Assert.Equal(("llama3", 4.0, 1.0, 4.0, 64), (llama.Type, llama.Factor, llama.LowFreqFactor, llama.HighFreqFactor, llama.OriginalMaxPositionEmbeddings));
        RopeConfig phi = ModelConfig.Load(FormatsGolden.File("configs", "phi3-longrope")).Rope;
        Assert.Equal(("longrope", 10, 0.75, 8.0), (phi.Type, phi.OriginalMaxPositionEmbeddings, phi.PartialRotaryFactor, phi.Factor));
        Assert.Equal([1.1, 1.6, 2.5, 4.0, 7.0, 11.0], phi.LongFactor);
    }

    [Fact]
    public void Biases_and_heads_follow_the_family()
    {
        ModelConfig qwen = ModelConfig.Load(FormatsGolden.File("configs", "qwen2-tied"));
        Assert.Equal((true, false, false, true), (qwen.AttentionBias, qwen.AttentionOutputBias, qwen.MlpBias, qwen.TieWordEmbeddings));
        ModelConfig llama = ModelConfig.Load(FormatsGolden.File("configs", "llama-biases"));
        Assert.Equal((true, true, true, 12), (llama.AttentionBias, llama.AttentionOutputBias, llama.MlpBias, llama.HeadDim));
        Assert.Equal([2, 3], ModelConfig.Load(FormatsGolden.File("configs", "llama-untied-rope3")).EosTokenIds);
        Assert.Equal(TensorDtype.BF16, ModelConfig.Load(FormatsGolden.File("configs", "qwen2-bf16")).Dtype);
    }

    [Fact]
    public void A_multimodal_config_gives_its_text_part()
    {
        ModelConfig config = ModelConfig.Load(FormatsGolden.File("configs", "gemma3-mm-hubkeys"));
        Assert.Equal(("gemma3", "gemma3_text", 40, 280), (config.OuterModelType, config.ModelType, config.HiddenSize, config.VocabSize));
        Assert.Equal([1, 106], config.EosTokenIds);
        Assert.True(config.TieWordEmbeddings);
        Assert.NotNull(config.Raw["vision_config"]);
    }

    [Fact]
    public void Absent_keys_have_the_defaults_of_the_model_type()
    {
        ModelConfig llama = Parse(Minimal);
        Assert.Equal((4, 16, "silu", 1e-6, false, 10000.0), (llama.NumKeyValueHeads, llama.HeadDim, llama.HiddenAct, llama.RmsNormEps, llama.TieWordEmbeddings, llama.Rope.Theta));
        Assert.Equal(1e-5, Parse(Minimal.Replace("llama", "phi3", StringComparison.Ordinal)).RmsNormEps);
        Assert.Equal(4096, Parse(Minimal.Replace("llama", "mistral", StringComparison.Ordinal).Replace("{", "{\"num_key_value_heads\":4,", StringComparison.Ordinal)).SlidingWindow);
    }

    [Theory]
    [InlineData("\"hidden_size\":64", "\"hidden_size\":-64", "hidden_size")]
    [InlineData("\"hidden_size\":64", "\"hidden_size\":\"64\"", "hidden_size")]
    [InlineData("\"hidden_size\":64", "\"hidden_size\":1e300", "hidden_size")]
    [InlineData("\"hidden_size\":64", "\"hidden_size\":64.5", "hidden_size")]
    [InlineData("\"hidden_size\":64,", "", "hidden_size")]
    [InlineData("\"hidden_size\":64", "\"hidden_size\":66", "num_attention_heads")]
    [InlineData("\"vocab_size\":100", "\"vocab_size\":0", "vocab_size")]
    [InlineData("\"vocab_size\":100", "\"vocab_size\":100,\"num_key_value_heads\":3", "num_key_value_heads")]
    [InlineData("\"vocab_size\":100", "\"vocab_size\":100,\"rms_norm_eps\":0", "rms_norm_eps")]
    [InlineData("\"vocab_size\":100", "\"vocab_size\":100,\"torch_dtype\":\"int4\"", "torch_dtype")]
    [InlineData("\"vocab_size\":100", "\"vocab_size\":100,\"rope_scaling\":{\"type\":\"spiral\"}", "rope_scaling")]
    [InlineData("\"vocab_size\":100", "\"vocab_size\":100,\"rope_scaling\":{\"type\":\"linear\"}", "rope_scaling.factor")]
    [InlineData("\"vocab_size\":100", "\"vocab_size\":100,\"rope_scaling\":7", "rope_scaling")]
    [InlineData("\"vocab_size\":100", "\"vocab_size\":100,\"layer_types\":[\"full_attention\"]", "layer_types")]
    [InlineData("\"vocab_size\":100", "\"vocab_size\":100,\"layer_types\":[\"full_attention\",\"linear_attention\"]", "layer_types")]
    [InlineData("\"num_hidden_layers\":2", "\"num_hidden_layers\":2000000000", "num_hidden_layers")]
    [InlineData("\"model_type\":\"llama\",", "", "model_type")]
    public void A_key_that_is_missing_or_impossible_is_named(string good, string bad, string key)
    {
        Diagnostic diagnostic = Expect.Diagnostic("LB0411", () => Parse(Minimal.Replace(good, bad, StringComparison.Ordinal)));
        Assert.Contains(key, diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Broken_JSON_is_reported_with_its_place()
    {
        Diagnostic diagnostic = Expect.Diagnostic("LB0410", () => Parse("{\n  \"model_type\": llama\n}"));
        Assert.Equal((2, 17), (diagnostic.Line, diagnostic.Column));
        using TemporaryFolder folder = new();
        Expect.Diagnostic("LB0410", () => ModelConfig.Load(folder.Path));
        Expect.Diagnostic("LB0410", () => Parse(new string('[', 100_000)));
    }

    private static string Layers(string model) =>
        string.Concat(ModelConfig.Load(FormatsGolden.File("configs", model)).LayerTypes.Select(l => l == LayerAttention.Full ? 'F' : 'S'));

    private static string Text(ModelConfig config) => JsonSerializer.Serialize(config with { Raw = [], FilePath = "" });

    private static ModelConfig Parse(string json)
    {
        using TemporaryFolder folder = new();
        folder.Write("config.json", json);
        return ModelConfig.Load(folder.Path);
    }
}
