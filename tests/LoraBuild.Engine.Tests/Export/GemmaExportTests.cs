// Gemma in GGUF: the text part of multimodal checkpoints, and configs that llama.cpp would compute in another way.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Engine.Export;

namespace LoraBuild.Engine.Tests.Export;

public sealed class GemmaExportTests
{
    [Theory]
    [InlineData("language_model.model.", "", "vision_tower.vision_model.encoder.layers.0.layer_norm1.weight")] // public files
    [InlineData("language_model.model.", "", "vision_tower.encoder.layers.0.layer_norm1.weight")]              // transformers 5
    [InlineData("model.language_model.", "model.", "model.vision_tower.encoder.layers.0.layer_norm1.weight")]  // in memory
    public void The_text_part_of_a_multimodal_Gemma_3_is_exported_from_every_layout(string textPrefix, string projectorPrefix, string visionTensor)
    {
        using TemporaryDirectory model = GgufModels.Materialise(
            "gemma3-text",
            name => textPrefix + name["model.".Length..],
            TensorToWrite.FromFloat32(visionTensor, [2], new float[] { 1, 2 }),
            TensorToWrite.FromFloat32(projectorPrefix + "multi_modal_projector.mm_input_projection_weight", [1, 2], new float[] { 1, 2 }));
        EditConfig(model.Path, text =>
        {
            JsonObject inner = text.DeepClone().AsObject();
            inner.Remove("architectures");
            return new JsonObject { ["architectures"] = new JsonArray("Gemma3ForConditionalGeneration"), ["model_type"] = "gemma3", ["eos_token_id"] = new JsonArray(1, 106), ["text_config"] = inner };
        });
        string path = Path.Combine(model.Path, "x.gguf");
        GgufExporter.Export(model.Path, GgufMix.Find("bf16")!, path);
        using GgufFile file = GgufFile.Open(path);
        GgufComparison.CheckMetadata("gemma3-text", file.Keys);
        GgufComparison.CheckTensors("gemma3-text", GgufComparison.TensorsOf(file), GgufMix.Find("bf16")!);
    }

    [Fact]
    public void Linear_scaling_of_the_global_layers_is_metadata()
    {
        using TemporaryDirectory model = GgufModels.Materialise("gemma3-text");
        EditConfig(model.Path, c => With(c, "rope_scaling", new JsonObject { ["rope_type"] = "linear", ["factor"] = 8.0 }));
        string path = Path.Combine(model.Path, "x.gguf");
        GgufExporter.Export(model.Path, GgufMix.Find("f16")!, path);
        using GgufFile file = GgufFile.Open(path);
        Assert.Equal("linear", file.Value("gemma3.rope.scaling.type"));
        Assert.Equal(8f, file.Value("gemma3.rope.scaling.factor"));
        Assert.Equal(10000f, file.Value("gemma3.rope.freq_base_swa"));
    }

    [Theory]
    [InlineData("gemma3-text", "sliding_window_pattern", "3")] // llama.cpp's period is 6
    [InlineData("gemma3-text", "final_logit_softcapping", "9")]
    [InlineData("gemma3-text", "attn_logit_softcapping", "9")]
    [InlineData("gemma3-text", "query_pre_attn_scalar", "168")]
    [InlineData("gemma3-text", "attention_bias", "true")]
    [InlineData("gemma3-text", "hidden_activation", "\"silu\"")]
    [InlineData("gemma3-text", "rope_scaling", """{"rope_type":"yarn","factor":2}""")]
    [InlineData("gemma2", "sliding_window", "null")]
    [InlineData("gemma2", "tie_word_embeddings", "false")]
    [InlineData("gemma2", "attn_logit_softcapping", "null")]
    [InlineData("gemma2", "rope_scaling", """{"rope_type":"linear","factor":2}""")]
    [InlineData("phi3", "rope_scaling", """{"rope_type":"linear","factor":2}""")]
    [InlineData("phi3-longrope", "head_dim", "128")]
    public void What_llama_cpp_would_compute_in_another_way_is_refused_by_the_config_alone(string name, string key, string value)
    {
        using TemporaryDirectory model = new();
        File.Copy(Path.Combine(GgufModels.Folder(name), "config.json"), Path.Combine(model.Path, "config.json"));
        GgufExporter.CheckConfig(model.Path);
        EditConfig(model.Path, c => With(c, key, JsonNode.Parse(value)));
        Diagnostic told = Assert.Throws<DiagnosticException>(() => GgufExporter.CheckConfig(model.Path)).Diagnostics[0];
        Assert.Equal("LB0704", told.Code);
        Assert.Contains("export: { gguf: [] }", told.Message, StringComparison.Ordinal);
    }

    private static JsonObject With(JsonObject config, string key, JsonNode? value)
    {
        config[key] = value;
        return config;
    }

    private static void EditConfig(string directory, Func<JsonObject, JsonObject> change)
    {
        string path = Path.Combine(directory, "config.json");
        File.WriteAllText(path, change(JsonNode.Parse(File.ReadAllText(path))!.AsObject()).ToJsonString());
    }
}
