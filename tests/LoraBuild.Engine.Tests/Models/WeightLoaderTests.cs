// Weights and configs that do not fit are named, all of them, with both shapes and the file.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class WeightLoaderTests
{
    [Fact]
    public void Missing_unexpected_and_misshaped_tensors_are_all_reported()
    {
        using TemporaryDirectory directory = Golden.CopyOfModel("llama-tied");
        string path = Path.Combine(directory.Path, CausalLM.WeightsFileName);
        Rewrite(path, tensors =>
        {
            tensors.RemoveAll(t => t.Name == "model.norm.weight");
            tensors.Add(TensorToWrite.FromFloat32("model.layers.0.self_attn.q_proj.bias", [60], new float[60]));
            int index = tensors.FindIndex(t => t.Name == "model.layers.1.mlp.up_proj.weight");
            tensors[index] = TensorToWrite.FromFloat32(tensors[index].Name, [60, 120], new float[7200]);
            index = tensors.FindIndex(t => t.Name == "model.layers.2.mlp.up_proj.weight");
            tensors[index] = TensorToWrite.FromInt32(tensors[index].Name, [120, 60], new int[7200]);
        });
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => CausalLM.Load(directory.Path, new LoadOptions()));
        Assert.Equal(["LB0510", "LB0511", "LB0512", "LB0513"], error.Diagnostics.Select(d => d.Code).Order());
        Diagnostic shape = error.Diagnostics.Single(d => d.Code == "LB0512");
        Assert.Contains("model.layers.1.mlp.up_proj.weight", shape.Message, StringComparison.Ordinal);
        Assert.Contains("[60, 120]", shape.Message, StringComparison.Ordinal);
        Assert.Contains("[120, 60]", shape.Message, StringComparison.Ordinal);
        Assert.Equal(path, shape.File);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public void A_head_beside_a_tied_embedding_is_left_out_only_where_it_is_the_embedding(float difference)
    {
        using TemporaryDirectory directory = Golden.CopyOfModel("llama-tied");
        string path = Path.Combine(directory.Path, CausalLM.WeightsFileName);
        float[] head;
        using (SafetensorsFile file = SafetensorsFile.Open(path))
            head = file.ReadFloat32("model.embed_tokens.weight");
        head[^1] += difference;
        Rewrite(path, tensors => tensors.Add(TensorToWrite.FromFloat32("lm_head.weight", [250, 60], head)));
        if (difference == 0)
        {
            CausalLM.Load(directory.Path, new LoadOptions()).Dispose();
            return;
        }

        DiagnosticException error = Assert.Throws<DiagnosticException>(() => CausalLM.Load(directory.Path, new LoadOptions()));
        Assert.Equal("LB0511", error.Diagnostics[0].Code);
        Assert.Contains("tie_word_embeddings", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Tensors_at_odd_offsets_are_copied_and_give_the_same_model()
    {
        using TemporaryDirectory directory = Golden.CopyOfModel("llama-tied");
        string path = Path.Combine(directory.Path, CausalLM.WeightsFileName);
        byte[] bytes = File.ReadAllBytes(path);
        // One space more in the header: every offset is odd then.
        long header = BitConverter.ToInt64(bytes) + 1;
        File.WriteAllBytes(path, [.. BitConverter.GetBytes(header), .. bytes[8..(int)(header + 7)], (byte)' ', .. bytes[(int)(header + 7)..]]);
        using CausalLM shifted = CausalLM.Load(directory.Path, new LoadOptions());
        using CausalLM original = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        foreach (((string name, var a), (_, var b)) in shifted.NamedParameters().Zip(original.NamedParameters()))
            Assert.True(TensorTypes.ToFloat32Array(a).AsSpan().SequenceEqual(TensorTypes.ToFloat32Array(b)), name);
    }

    [Fact]
    public void Weights_stored_in_fp32_stay_in_the_file_and_leave_it_with_the_model()
    {
        if (!OperatingSystem.IsLinux())
            return; // the list of mappings is Linux's
        using TemporaryDirectory directory = Golden.CopyOfModel("llama-tied");
        string path = Path.Combine(directory.Path, CausalLM.WeightsFileName);
        bool IsMapped() => File.ReadAllText("/proc/self/maps").Contains(path, StringComparison.Ordinal);
        using (CausalLM model = CausalLM.Load(directory.Path, new LoadOptions()))
            Assert.True(IsMapped());
        Assert.False(IsMapped());
    }

    [Fact]
    public void Half_precision_arithmetic_on_a_CPU_is_refused()
    {
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => CausalLM.Load(Golden.Model("llama-fp16"), new LoadOptions { Dtype = ScalarType.Float16 }));
        Assert.Equal("LB0506", error.Diagnostics[0].Code);
    }

    [Theory]
    [InlineData("model_type", "\"mamba\"", "LB0500")]
    [InlineData("hidden_act", "\"relu6\"", "LB0501")]
    [InlineData("rope_parameters", "{\"rope_type\": \"dynamic\", \"factor\": 2.0, \"rope_theta\": 1000.0}", "LB0502")]
    [InlineData("rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 1000.0, \"twist\": 2}", "LB0503")]
    [InlineData("quantization_config", "{\"bits\": 4}", "LB0504")]
    [InlineData("pad_token_id", "250", "LB0505")]
    public void A_config_that_is_not_understood_is_refused(string key, string value, string code)
    {
        using TemporaryDirectory directory = Golden.CopyOfModel("llama-tied");
        string path = Path.Combine(directory.Path, "config.json");
        JsonNode config = JsonNode.Parse(File.ReadAllText(path))!;
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(path, config.ToJsonString());
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => CausalLM.Load(directory.Path, new LoadOptions()));
        Assert.Equal(code, error.Diagnostics[0].Code);
        Assert.Equal(path, error.Diagnostics[0].File);
    }

    [Fact]
    public void An_unknown_family_is_refused_with_the_known_ones()
    {
        using TemporaryDirectory directory = Golden.CopyOfModel("llama-tied");
        string path = Path.Combine(directory.Path, "config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"llama\"", "\"mamba\"", StringComparison.Ordinal));
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => CausalLM.Load(directory.Path, new LoadOptions()));
        Assert.Contains("mamba", error.Message, StringComparison.Ordinal);
        Assert.Contains("llama, ministral, mistral", error.Message, StringComparison.Ordinal);
    }

    private static void Rewrite(string path, Action<List<TensorToWrite>> change)
    {
        List<TensorToWrite> tensors;
        using (SafetensorsFile file = SafetensorsFile.Open(path))
            tensors = [.. file.Tensors.Values.Select(t => TensorToWrite.FromFloat32(t.Name, t.Shape, file.ReadFloat32(t.Name)))];
        change(tensors);
        SafetensorsWriter.Write(path, tensors);
    }
}
