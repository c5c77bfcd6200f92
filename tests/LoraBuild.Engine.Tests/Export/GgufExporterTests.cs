// Exported files hold the metadata and, bit for bit, the tensors that llama.cpp's own converter and quantizer give.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Engine.Export;

namespace LoraBuild.Engine.Tests.Export;

public sealed class GgufExporterTests
{
    /// <summary>Judged by llama.cpp's behaviour or free: the name, what this export chooses, sentencepiece scores.</summary>
    private static readonly string[] Free = ["general.name", "general.file_type", "tokenizer.ggml.scores"];

    [Theory]
    [InlineData("llama-tied")]
    [InlineData("llama3-rope")]
    [InlineData("smollm")]
    [InlineData("qwen2")]
    [InlineData("qwen3")]
    [InlineData("mistral")]
    [InlineData("llama-spm-json")]
    [InlineData("gemma2")]
    [InlineData("gemma3-text")]
    [InlineData("phi3")]
    [InlineData("phi3-longrope")]
    public void Metadata_and_tensors_equal_llama_cpps(string name)
    {
        using TemporaryDirectory model = GgufModels.Materialise(name);
        using TemporaryDirectory output = new();
        foreach (GgmlType type in GgmlTypes.Encodable)
        {
            string path = Path.Combine(output.Path, $"{type}.gguf");
            GgufExportReport report = GgufExporter.Export(model.Path, type, path);
            using GgufFile file = GgufFile.Open(path);
            Assert.Empty(report.FellBack);
            Assert.Equal(GgmlTypes.FileType(type), file.Value("general.file_type"));
            CheckMetadata(name, file);
            CheckTensors(name, file, type);
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
        GgufExportReport report = GgufExporter.Export(model.Path, GgmlType.Q8_0, path);
        using GgufFile file = GgufFile.Open(path);
        Assert.Contains("blk.0.attn_q.weight", report.FellBack);
        Assert.Equal(GgmlType.F16, file.Tensor("blk.0.attn_q.weight").Type);
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

    internal static void CheckMetadata(string name, GgufFile file)
    {
        foreach (JsonNode? entry in GgufModels.Json(name, "expected-metadata.json")["keys"]!.AsArray())
        {
            string key = (string)entry!["key"]!;
            if (Free.Contains(key))
            {
                Assert.NotNull(file.Value(key));
                continue;
            }

            GgufKey? got = file.Keys.FirstOrDefault(k => k.Name == key);
            Assert.True(got is not null, $"{key} is missing");
            string expectedType = (string)entry["type"]!;
            Assert.Equal(expectedType, TypeName(got));
            if (got.Value is Array values)
                Assert.Equal(entry["value"]!.AsArray().Select(v => v!.ToString()), values.Cast<object>().Select(v => v.ToString()!));
            else if (got.Value is float real)
                Assert.Equal((float)entry["value"]!, real);
            else
                Assert.Equal(entry["value"]!.ToString(), got.Value is bool flag ? (flag ? "true" : "false") : got.Value.ToString());
        }

        string[] expectedKeys = [.. GgufModels.Json(name, "expected-metadata.json")["keys"]!.AsArray().Select(k => (string)k!["key"]!)];
        Assert.Empty(file.Keys.Select(k => k.Name).Except(expectedKeys));
    }

    internal static void CheckTensors(string name, GgufFile file, GgmlType type)
    {
        JsonArray expected = GgufModels.Json(name, "expected-tensors.json")["tensors"]!.AsArray();
        Assert.Equal(expected.Select(t => (string)t!["name"]!).Order(StringComparer.Ordinal), file.Tensors.Select(t => t.Name).Order(StringComparer.Ordinal));
        foreach (JsonNode? one in expected)
        {
            GgufTensor tensor = file.Tensor((string)one!["name"]!);
            Assert.Equal(one["ne"]!.AsArray().Select(n => (long)n!), tensor.Dimensions);
            Assert.Equal((bool)one["always_f32"]! ? GgmlType.F32 : type, tensor.Type);
            if (tensor.Name == "rope_freqs.weight")
                continue; // compared by value in Rope_factors_equal_the_reference
            Assert.Equal((string)one["sha256"]![tensor.Type.ToString()]!, GgufModels.Sha256(file.GetBytes(tensor, 0, (int)tensor.ByteLength)));
        }
    }

    private static string TypeName(GgufKey key) => key.Type switch
    {
        GgufValueType.String => "str",
        GgufValueType.UInt32 => "u32",
        GgufValueType.Float32 => "f32",
        GgufValueType.Bool => "bool",
        GgufValueType.Array => "arr:" + TypeName(new GgufKey(key.Name, key.ElementType!.Value, 0)),
        GgufValueType.Int32 => "i32",
        _ => key.Type.ToString(),
    };

    private static string Refused(string model, string output, string file, Action<JsonNode> change)
    {
        string path = Path.Combine(model, file);
        byte[] original = File.ReadAllBytes(path);
        JsonNode node = JsonNode.Parse(original)!;
        change(node);
        File.WriteAllText(path, node.ToJsonString());
        string code = Assert.Throws<DiagnosticException>(() => GgufExporter.Export(model, GgmlType.F16, output)).Diagnostics[0].Code;
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
