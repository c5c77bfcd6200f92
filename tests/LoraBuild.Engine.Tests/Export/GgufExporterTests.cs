// Exported files hold the metadata and, bit for bit, the tensors that llama.cpp's own converter and quantizer give.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Engine.Export;

namespace LoraBuild.Engine.Tests.Export;

public sealed class GgufExporterTests
{
    public static TheoryData<string> Models() => [.. GgufModels.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void Metadata_and_tensors_equal_llama_cpps_for_every_file_type(string name)
    {
        using TemporaryDirectory model = GgufModels.Materialise(name);
        using TemporaryDirectory output = new();
        foreach (GgufMix mix in GgufMix.All)
        {
            string path = Path.Combine(output.Path, $"{mix.Name}.gguf");
            GgufExportReport report = GgufExporter.Export(model.Path, mix, path);
            using GgufFile file = GgufFile.Open(path);
            Assert.Empty(report.FellBack);
            Assert.Equal(mix.FileType, file.Value("general.file_type"));
            GgufComparison.CheckMetadata(name, file.Keys);
            GgufComparison.CheckTensors(name, GgufComparison.TensorsOf(file), mix);
        }
    }

    [Fact]
    public void Rope_factors_equal_the_reference()
    {
        JsonNode reference = JsonNode.Parse(File.ReadAllText(GgufModels.Folder("rope_factors.json")))!;
        foreach (JsonNode? one in reference["cases"]!.AsArray())
        {
            JsonNode rope = one!["rope"]!;
            RopeConfig config = new()
            {
                Type = "llama3",
                Theta = (double)rope["rope_theta"]!,
                Factor = (double)rope["factor"]!,
                LowFreqFactor = (double)rope["low_freq_factor"]!,
                HighFreqFactor = (double)rope["high_freq_factor"]!,
                OriginalMaxPositionEmbeddings = (int)rope["original_max_position_embeddings"]!,
            };
            float[] expected = [.. one["factors"]!.AsArray().Select(f => (float)f!)];
            float[] got = RopeFrequencies.Llama3Factors(config, (int)one["head_dim"]!);
            Assert.Equal(expected.Length, got.Length);
            for (int i = 0; i < expected.Length; i++)
                Assert.InRange(got[i] / expected[i], 1 - 3e-6f, 1 + 3e-6f); // tolerance_rel of the file
        }
    }

    [Theory]
    [InlineData("My Phi-3 chat", false, "My phi 3 chat")]
    [InlineData("phi3", false, "phi 3")]
    [InlineData("Phi-3 mini", true, "Phi-3 mini")]
    [InlineData("helper", true, "helper Phi-3")]
    [InlineData("\"}\n", false, "model")]
    public void The_name_makes_llama_cpp_recognise_Phi_3_and_nothing_else(string name, bool hasPhi3Vocabulary, string expected) =>
        Assert.Equal(expected, GgufExporter.SafeName(name, hasPhi3Vocabulary));

    [Fact]
    public void Rows_that_are_no_whole_blocks_fall_back_to_F16()
    {
        using TemporaryDirectory model = Golden.CopyOfModel("llama-tied"); // hidden size 60
        File.Copy(Path.Combine(GgufModels.Folder("smollm"), "tokenizer.json"), Path.Combine(model.Path, "tokenizer.json"));
        ShrinkTokenizer(Path.Combine(model.Path, "tokenizer.json"), 250);
        string path = Path.Combine(model.Path, "x.gguf");
        GgufExportReport report = GgufExporter.Export(model.Path, GgufMix.Find("q8_0")!, path);
        using GgufFile file = GgufFile.Open(path);
        Assert.Contains("blk.0.attn_q.weight", report.FellBack);
        Assert.Equal(GgmlType.F16, file.Tensor("blk.0.attn_q.weight").Type);
    }

    [Theory]
    [InlineData("q8_0", true)]
    [InlineData("q4_k_m", true)]
    [InlineData("f16", false)] // has a code for it
    public void A_value_that_is_not_finite_is_refused_by_types_that_have_no_code_for_it(string type, bool isRefused)
    {
        using TemporaryDirectory model = GgufModels.Materialise("qwen2");
        string file = Path.Combine(model.Path, "model.safetensors");
        long offset;
        using (SafetensorsFile weights = SafetensorsFile.Open(file))
            offset = weights.Tensors["model.layers.0.mlp.down_proj.weight"].FileOffset;
        using (FileStream stream = File.OpenWrite(file))
        {
            stream.Position = offset + 400;
            stream.Write([0xFF, 0xFF, 0xFF, 0xFF]);
        }

        string path = Path.Combine(model.Path, "x.gguf");
        if (isRefused)
        {
            Diagnostic told = Assert.Throws<DiagnosticException>(() => GgufExporter.Export(model.Path, GgufMix.Find(type)!, path)).Diagnostics[0];
            Assert.Equal("LB0705", told.Code);
            Assert.Contains("model.layers.0.mlp.down_proj.weight", told.Message, StringComparison.Ordinal);
        }
        else
        {
            GgufExporter.Export(model.Path, GgufMix.Find(type)!, path);
        }

        Assert.Equal(!isRefused, File.Exists(path));
    }

    [Fact]
    public void What_cannot_be_exported_is_refused_and_leaves_no_file()
    {
        using TemporaryDirectory model = GgufModels.Materialise("llama3-rope");
        string path = Path.Combine(model.Path, "x.gguf");
        Assert.Equal("LB0500", Refused(model.Path, path, "config.json", c => c["model_type"] = "mamba"));
        Assert.Equal("LB0706", Refused(model.Path, path, "tokenizer.json", t => t["pre_tokenizer"] = new JsonObject { ["type"] = "Whitespace" }));
        Assert.Equal("LB0706", Refused(model.Path, path, "tokenizer.json", t => t["model"]!["vocab"]!["too-large"] = 616));
        Assert.Equal("LB0706", Refused(model.Path, path, "tokenizer.json", t => t["model"] = new JsonObject { ["type"] = "Unigram" }));
        Assert.Equal("LB0705", Refused(model.Path, path, "config.json", c => c["vocab_size"] = 617));
        using (SafetensorsFile weights = SafetensorsFile.Open(Path.Combine(model.Path, "model.safetensors")))
            SafetensorsWriter.Write(Path.Combine(model.Path, "new.safetensors"), [.. weights.Tensors.Keys.Where(n => n != "lm_head.weight").Select(n => TensorToWrite.CopyOf(weights, n))]);
        File.Move(Path.Combine(model.Path, "new.safetensors"), Path.Combine(model.Path, "model.safetensors"), overwrite: true);
        Assert.Equal("LB0705", Refused(model.Path, path, "config.json", _ => { })); // untied without a head
        Assert.False(File.Exists(path));
    }

    private static string Refused(string model, string output, string file, Action<JsonNode> change)
    {
        string path = Path.Combine(model, file);
        byte[] original = File.ReadAllBytes(path);
        JsonNode node = JsonNode.Parse(original)!;
        change(node);
        File.WriteAllText(path, node.ToJsonString());
        string code = Assert.Throws<DiagnosticException>(() => GgufExporter.Export(model, GgufMix.Find("f16")!, output)).Diagnostics[0].Code;
        File.WriteAllBytes(path, original);
        return code;
    }

    private static void ShrinkTokenizer(string path, int size)
    {
        JsonObject tokenizer = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        JsonObject vocabulary = tokenizer["model"]!["vocab"]!.AsObject();
        foreach (string token in vocabulary.Where(t => (int)t.Value! >= size).Select(t => t.Key).ToList())
            vocabulary.Remove(token);
        File.WriteAllText(path, tokenizer.ToJsonString());
    }
}
