// Families without a golden GGUF file: names, keys and permutations as llama.cpp's graphs want them. Their files were loaded by llama.cpp, whose logits equal the reference's.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Engine.Export;

namespace LoraBuild.Engine.Tests.Export;

public sealed class FamilyExportTests
{
    private const string Llama = "attn_k attn_norm attn_output attn_q attn_v ffn_down ffn_gate ffn_norm ffn_up";

    [Theory]
    [InlineData("models/olmo2", "olmo2", "attn_k attn_k_norm attn_output attn_q attn_q_norm attn_v ffn_down ffn_gate ffn_up post_attention_norm post_ffw_norm", false)]
    [InlineData("models/granite", "granite", Llama, true)]
    [InlineData("families/gemma", "gemma", Llama, false)]
    [InlineData("families/internlm", "llama", Llama, true)]
    [InlineData("families/seed-oss", "llama", Llama, true)]
    [InlineData("families/mistral-no-window", "llama", Llama, true)]
    [InlineData("families/phi4-mini", "phi3", "attn_norm attn_output attn_qkv ffn_down ffn_norm ffn_up", false)]
    public void Layers_have_llama_cpps_names_and_rows(string golden, string arch, string modules, bool isPermuted)
    {
        using TemporaryDirectory model = Copy(golden);
        using GgufFile file = Export(model, "f32");
        Assert.Equal(arch, file.Value("general.architecture"));
        Assert.Equal(modules.Split(' '), file.Tensors.Where(t => t.Name.StartsWith("blk.0.", StringComparison.Ordinal) && t.Name.EndsWith(".weight", StringComparison.Ordinal)).Select(t => t.Name.Split('.')[2]).Order(StringComparer.Ordinal));
        if (modules.Contains("attn_qkv", StringComparison.Ordinal))
            return;
        using ModelFiles files = ModelFiles.Open(model.Path);
        ModelConfig config = ModelConfig.Load(model.Path);
        TensorEntry entry = files.Tensors["model.layers.0.self_attn.q_proj.weight"];
        float[] stored = new float[entry.ElementCount];
        FloatConversion.ToFloat32(entry.Dtype, files.FileOf(entry.Name).GetBytes(entry, 0, (int)entry.ByteLength), stored);
        float[] written = file.ReadFloat32("blk.0.attn_q.weight");
        int columns = (int)entry.Shape[1], half = config.HeadDim / 2;
        int source = isPermuted ? half : 1; // the second row of a head holds the first one of its second half
        Assert.Equal(stored.AsSpan(source * columns, columns).ToArray(), written.AsSpan(columns, columns).ToArray());
    }

    [Fact]
    public void Granite_has_its_four_factors()
    {
        using TemporaryDirectory model = Copy("models/granite");
        using GgufFile file = Export(model, "f16");
        ModelConfig config = ModelConfig.Load(model.Path);
        Assert.Equal((float)config.EmbeddingMultiplier, file.Value("granite.embedding_scale"));
        Assert.Equal((float)config.AttentionMultiplier!.Value, file.Value("granite.attention.scale"));
        Assert.Equal((float)config.ResidualMultiplier, file.Value("granite.residual_scale"));
        Assert.Equal((float)config.LogitsScaling, file.Value("granite.logit_scale"));
        Assert.NotEqual(1f, file.Value("granite.logit_scale"));
    }

    [Fact]
    public void Phi_4_mini_rotates_a_part_of_each_head_with_its_own_factors_and_has_no_head()
    {
        using TemporaryDirectory model = Copy("families/phi4-mini");
        using GgufFile file = Export(model, "f16");
        ModelConfig config = ModelConfig.Load(model.Path);
        int rotated = (int)(config.HeadDim * config.Rope.PartialRotaryFactor);
        Assert.InRange(rotated, 2, config.HeadDim - 1);
        Assert.Equal((uint)rotated, file.Value("phi3.rope.dimension_count"));
        Assert.Equal(config.Rope.LongFactor.Select(f => (float)f), file.ReadFloat32("rope_factors_long.weight"));
        Assert.Equal(config.Rope.ShortFactor.Select(f => (float)f), file.ReadFloat32("rope_factors_short.weight"));
        Assert.Equal((uint)config.Rope.OriginalMaxPositionEmbeddings, file.Value("phi3.rope.scaling.original_context_length"));
        Assert.DoesNotContain(file.Tensors, t => t.Name == "output.weight");
    }

    [Fact]
    public void SmolLM3_is_exported_where_every_fourth_layer_does_not_rotate()
    {
        using TemporaryDirectory model = Copy("families/smollm3");
        Assert.Equal("LB0704", Assert.Throws<DiagnosticException>(() => Export(model, "f16")).Diagnostics[0].Code);
        string path = Path.Combine(model.Path, "config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config.Remove("no_rope_layers");
        config["no_rope_layer_interval"] = 4;
        File.WriteAllText(path, config.ToJsonString());
        using GgufFile file = Export(model, "f16");
        Assert.Equal("smollm3", file.Value("general.architecture"));
    }

    [Theory]
    [InlineData("models/mistral-swa", 7)]
    [InlineData("families/mistral-no-window", null)]
    public void A_window_that_llama_cpp_ignores_is_told(string golden, int? window)
    {
        using TemporaryDirectory model = Copy(golden);
        GgufExportReport report = GgufExporter.Export(model.Path, GgufMix.Find("f16")!, Path.Combine(model.Path, "x.gguf"));
        Assert.Equal(window, report.IgnoredWindow);
        Assert.Equal(window is not null, report.Text.Contains("after 7 tokens it sees more", StringComparison.Ordinal));
    }

    private static GgufFile Export(TemporaryDirectory model, string type)
    {
        string path = Path.Combine(model.Path, "x.gguf");
        GgufExporter.Export(model.Path, GgufMix.Find(type)!, path);
        return GgufFile.Open(path);
    }

    /// <summary>With a tokenizer, which these models lack: as many tokens as they have embeddings.</summary>
    internal static TemporaryDirectory Copy(string golden)
    {
        TemporaryDirectory copy = new();
        foreach (string file in Directory.GetFiles(Path.Combine(Golden.Root, golden)))
            File.Copy(file, Path.Combine(copy.Path, Path.GetFileName(file)));
        JsonObject vocabulary = [];
        for (int id = 0; id < ModelConfig.Load(copy.Path).VocabSize; id++)
            vocabulary[string.Create(CultureInfo.InvariantCulture, $"t{id}")] = id;
        JsonObject tokenizer = new()
        {
            ["added_tokens"] = new JsonArray(),
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["use_regex"] = true },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
        };
        File.WriteAllText(Path.Combine(copy.Path, "tokenizer.json"), tokenizer.ToJsonString());
        return copy;
    }
}
