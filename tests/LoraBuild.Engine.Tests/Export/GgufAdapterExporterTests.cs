// GGUF adapters equal the golden ones, tensor for tensor; what llama.cpp cannot apply is refused with the reason.
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Engine.Export;

namespace LoraBuild.Engine.Tests.Export;

public sealed class GgufAdapterExporterTests
{
    private const string QueryA = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";

    private static readonly string[] Names = [.. Directory.GetDirectories(GgufModels.Folder("adapters")).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    public static TheoryData<string> Adapters() => [.. Names];

    [Theory]
    [MemberData(nameof(Adapters))]
    public void Keys_and_tensors_equal_the_golden_adapter(string name)
    {
        using TemporaryDirectory output = new();
        string path = Path.Combine(output.Path, "a.gguf");
        GgufAdapterExporter.Export(GgufModels.Folder(name), GgufModels.Folder(Path.Combine("adapters", name)), GgmlType.F32, path);
        using GgufFile file = GgufFile.Open(path);
        JsonNode expected = GgufModels.Json(Path.Combine("adapters", name), "expected-adapter.json");
        Assert.Equal(
            expected["keys"]!.AsArray().Select(k => $"{k!["key"]} {k["type"]} {(float.TryParse(k["value"]!.ToString(), out float number) ? number : k["value"])}").Order(StringComparer.Ordinal),
            file.Keys.Select(k => $"{k.Name} {k.Type.ToString().ToUpperInvariant()} {k.Value}").Order(StringComparer.Ordinal));
        Assert.Equal(
            expected["tensors"]!.AsArray().Select(t => $"{t!["name"]} {t["type"]} {t["ne"]![0]}x{t["ne"]![1]} {t["sha256"]}").Order(StringComparer.Ordinal),
            file.Tensors.Select(t => $"{t.Name} {t.Type} {t.Dimensions[0]}x{t.Dimensions[1]} {GgufModels.Sha256(file.GetBytes(t, 0, (int)t.ByteLength))}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_golden_adapter_has_its_base_among_the_golden_models() =>
        Assert.Empty(Names.Except(GgufModels.Names));

    [Fact]
    public void Half_precision_holds_the_rounded_values()
    {
        using TemporaryDirectory output = new();
        string path = Path.Combine(output.Path, "a.gguf");
        GgufAdapterExporter.Export(GgufModels.Folder("qwen2"), GgufModels.Folder("adapters/qwen2"), GgmlType.F16, path);
        using GgufFile file = GgufFile.Open(path);
        Assert.All(file.Tensors, t => Assert.Equal(GgmlType.F16, t.Type));
        using PeftAdapterFiles adapter = PeftAdapterFiles.Read(GgufModels.Folder("adapters/qwen2"));
        float[] exact = MemoryMarshal.Cast<byte, float>(adapter.Weights.GetBytes(adapter.Weights.Tensors[QueryA], 0, 4 * (int)adapter.Weights.Tensors[QueryA].ElementCount)).ToArray();
        Assert.Equal(exact.Select(v => (float)(Half)v), file.ReadFloat32("blk.0.attn_q.weight.lora_a"));
    }

    [Theory]
    [InlineData("use_rslora", "true", 16f)] // 8·√4
    [InlineData("lora_alpha", "12", 12f)]
    public void Alpha_makes_llama_cpp_scale_as_PEFT_does(string key, string value, float expected)
    {
        using TemporaryDirectory adapter = CopyOf("qwen2", c => c[key] = JsonNode.Parse(value));
        using GgufFile file = Export(adapter);
        Assert.Equal(expected, file.Value("adapter.lora.alpha"));
    }

    [Fact]
    public void A_module_with_an_alpha_of_its_own_has_the_difference_in_its_B()
    {
        using TemporaryDirectory plain = CopyOf("qwen2", _ => { });
        using TemporaryDirectory patterned = CopyOf("qwen2", c => c["alpha_pattern"] = new JsonObject { ["layers.1.self_attn.q_proj"] = 24 });
        using GgufFile expected = Export(plain);
        using GgufFile got = Export(patterned);
        Assert.Equal(expected.Value("adapter.lora.alpha"), got.Value("adapter.lora.alpha"));
        foreach (GgufTensor tensor in expected.Tensors)
        {
            float factor = tensor.Name == "blk.1.attn_q.weight.lora_b" ? 3 : 1;
            Assert.Equal(expected.ReadFloat32(tensor.Name).Select(v => v * factor), got.ReadFloat32(tensor.Name));
        }
    }

    [Fact]
    public void What_llama_cpp_cannot_apply_is_refused_with_the_way_on()
    {
        Assert.Contains("DoRA", Refused("LB0710", c => c["use_dora"] = true, WithMagnitudes), StringComparison.Ordinal);
        Assert.Contains("lm_head.weight", Refused("LB0710", c => c["modules_to_save"] = new JsonArray("lm_head"), t => t.Append(TensorToWrite.FromFloat32("base_model.model.lm_head.weight", [2, 2], new float[4]))), StringComparison.Ordinal);
        Assert.Contains("no module 'model.layers.0.self_attn.x_proj'", Refused("LB0701", _ => { }, t => t.Select(Renamed)), StringComparison.Ordinal);
        Assert.Contains("tie_word_embeddings", Refused("LB0710", _ => { }, t => [.. t, TensorToWrite.FromFloat32("base_model.model.lm_head.lora_A.weight", [4, 2], new float[8]), TensorToWrite.FromFloat32("base_model.model.lm_head.lora_B.weight", [2, 4], new float[8])]), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_bases_adapter_is_refused()
    {
        using TemporaryDirectory model = GgufModels.Materialise("qwen2");
        string weights = Path.Combine(model.Path, "model.safetensors");
        using TemporaryDirectory adapter = CopyOf("qwen2", _ => { });
        string path = Path.Combine(adapter.Path, "a.gguf");
        GgufAdapterExporter.Export(model.Path, adapter.Path, GgmlType.F32, path);
        using (SafetensorsFile file = SafetensorsFile.Open(weights))
            SafetensorsWriter.Write(weights + ".new", [.. file.Tensors.Values.Select(t => t.Name.Contains("layers.1.self_attn.k_proj.weight", StringComparison.Ordinal) ? TensorToWrite.FromFloat32(t.Name, [4, 4], new float[16]) : TensorToWrite.CopyOf(file, t.Name))]);
        File.Move(weights + ".new", weights, overwrite: true);
        Assert.Equal("LB0702", Assert.Throws<DiagnosticException>(() => GgufAdapterExporter.Export(model.Path, adapter.Path, GgmlType.F32, path)).Diagnostics[0].Code);
    }

    private static TensorToWrite Renamed(TensorToWrite tensor) => tensor with { Name = tensor.Name.Replace("layers.0.self_attn.q_proj", "layers.0.self_attn.x_proj", StringComparison.Ordinal) };

    private static IEnumerable<TensorToWrite> WithMagnitudes(IEnumerable<TensorToWrite> tensors)
    {
        foreach (TensorToWrite tensor in tensors)
        {
            yield return tensor;
            if (tensor.Name.EndsWith(".lora_B.weight", StringComparison.Ordinal))
                yield return TensorToWrite.FromFloat32(tensor.Name.Replace(".lora_B.weight", ".lora_magnitude_vector", StringComparison.Ordinal), [tensor.Shape[0]], new float[tensor.Shape[0]]);
        }
    }

    private static string Refused(string code, Action<JsonNode> edit, Func<IEnumerable<TensorToWrite>, IEnumerable<TensorToWrite>> change)
    {
        using TemporaryDirectory adapter = CopyOf("qwen2", edit);
        string path = Path.Combine(adapter.Path, "adapter_model.safetensors");
        using (SafetensorsFile file = SafetensorsFile.Open(path))
            SafetensorsWriter.Write(path + ".new", [.. change(file.Tensors.Keys.Select(n => TensorToWrite.CopyOf(file, n)))]);
        File.Move(path + ".new", path, overwrite: true);
        Diagnostic told = Assert.Throws<DiagnosticException>(() => Export(adapter)).Diagnostics[0];
        Assert.Equal(code, told.Code);
        return told.Message;
    }

    private static GgufFile Export(TemporaryDirectory adapter)
    {
        string path = Path.Combine(adapter.Path, "a.gguf");
        GgufAdapterExporter.Export(GgufModels.Folder("qwen2"), adapter.Path, GgmlType.F32, path);
        return GgufFile.Open(path);
    }

    private static TemporaryDirectory CopyOf(string name, Action<JsonNode> edit)
    {
        TemporaryDirectory copy = new();
        string folder = GgufModels.Folder(Path.Combine("adapters", name));
        File.Copy(Path.Combine(folder, "adapter_model.safetensors"), Path.Combine(copy.Path, "adapter_model.safetensors"));
        JsonNode config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!;
        edit(config);
        File.WriteAllText(Path.Combine(copy.Path, "adapter_config.json"), config.ToJsonString());
        return copy;
    }
}
