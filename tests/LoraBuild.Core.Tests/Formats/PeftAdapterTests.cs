// PEFT adapters: read, written back with equal bytes, and refused where merging them would give another model.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Tests.Formats;

public sealed class PeftAdapterTests
{
    [Theory]
    [InlineData("llama-tied-qkv-r4")]
    [InlineData("qwen2-all7-r4-rslora")]
    [InlineData("qwen2-qkvo-r8-dora")]
    [InlineData("phi3-all-r4")]
    [InlineData("llama-tied-embed-head-r4-untied")]
    public void An_adapter_is_written_back_byte_for_byte(string name)
    {
        string golden = FormatsGolden.File("adapters", name);
        using TemporaryFolder folder = new();
        using PeftAdapterFiles adapter = PeftAdapterFiles.Read(golden);

        PeftAdapterFiles.Write(folder.Path, adapter.Config, [.. adapter.Weights.Tensors.Keys.Select(n => TensorToWrite.CopyOf(adapter.Weights, n))]);

        foreach (string file in (string[])[PeftAdapterConfig.FileName, PeftAdapterFiles.WeightsFileName])
            Assert.Equal(File.ReadAllBytes(Path.Combine(golden, file)), File.ReadAllBytes(folder.File(file)));
    }

    [Fact]
    public void A_new_config_has_every_key_that_PEFT_writes()
    {
        using TemporaryFolder folder = new();
        new PeftAdapterConfig { R = 4, LoraAlpha = 8, TargetModules = ["q_proj", "v_proj", "k_proj"], BaseModelNameOrPath = "models/llama-tied", Extra = new() { ["peft_version"] = "0.20.1.dev0@UNKNOWN" } }.Write(folder.Path);
        Assert.Equal(File.ReadAllText(FormatsGolden.File("adapters", "llama-tied-qkv-r4", PeftAdapterConfig.FileName)), File.ReadAllText(folder.File(PeftAdapterConfig.FileName)));
    }

    [Fact]
    public void Pairs_and_replacements_are_told_apart()
    {
        using PeftAdapterFiles adapter = PeftAdapterFiles.Read(FormatsGolden.File("adapters", "llama-tied-embed-head-r4-untied"));
        Assert.Equal(["lm_head.weight", "model.embed_tokens.weight"], adapter.Replacements.Keys);
        Assert.Contains(adapter.Pairs, p => p.ModulePath == "model.layers.0.self_attn.q_proj" && p.R == 4);
    }

    [Fact]
    public void Scaling_follows_patterns_and_rslora()
    {
        PeftAdapterConfig config = Parse("""
            {"peft_type":"LORA","r":8,"lora_alpha":16,"rank_pattern":{"layers\\.0\\..*\\.q_proj":2,"q_proj":4},"alpha_pattern":{"v_proj":32},"target_modules":["q_proj","v_proj"]}
            """);
        Assert.Equal(8.0, config.ScalingOf("model.layers.0.self_attn.q_proj"));
        Assert.Equal(4.0, config.ScalingOf("model.layers.1.self_attn.q_proj"));
        Assert.Equal(4.0, config.ScalingOf("model.layers.1.self_attn.v_proj"));
        Assert.Equal(2.0, config.ScalingOf("model.layers.1.self_attn.xq_proj")); // a suffix begins after a dot
        Assert.Equal(16 / Math.Sqrt(8), (config with { UseRslora = true }).ScalingOf("model.layers.0.self_attn.k_proj"));
    }

    [Theory]
    [InlineData("\"fan_in_fan_out\":true", "fan_in_fan_out")]
    [InlineData("\"lora_bias\":true", "lora_bias")]
    [InlineData("\"layer_replication\":[[0,2],[1,3]]", "layer_replication")]
    [InlineData("\"target_parameters\":[\"mlp.experts.gate_up_proj\"]", "target_parameters")]
    [InlineData("\"a_later_feature\":true", "a_later_feature")]
    [InlineData("\"init_lora_weights\":\"olora\"", "init_lora_weights")]
    [InlineData("\"init_lora_weights\":\"pissa_niter_16\"", "init_lora_weights")]
    [InlineData("\"peft_type\":\"IA3\"", "peft_type")]
    public void Features_that_change_the_model_are_refused_with_a_reason(string entry, string key)
    {
        string json = key == "peft_type" ? $"{{{entry}}}" : $"{{\"peft_type\":\"LORA\",\"r\":4,{entry}}}";
        Assert.Contains(key, Expect.Diagnostic("LB0422", () => Parse(json)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("LB0421", """{"peft_type":"LORA","r":0}""")]
    [InlineData("LB0421", """{"peft_type":"LORA","r":4,"target_modules":7}""")]
    [InlineData("LB0421", """{"peft_type":"LORA","rank_pattern":{"q":"x"}}""")]
    [InlineData("LB0420", """{"peft_type":"LORA",}""")]
    public void Wrong_values_are_refused(string code, string json) => Expect.Diagnostic(code, () => Parse(json));

    [Fact]
    public void Weights_that_do_not_fit_the_config_are_refused()
    {
        using TemporaryFolder folder = new();
        PeftAdapterConfig config = new() { R = 2, TargetModules = ["q_proj"] };
        TensorToWrite Tensor(string key, params long[] shape) => TensorToWrite.FromFloat32(key, shape, new float[shape.Aggregate(1L, (a, b) => a * b)]);
        Diagnostic Read(params TensorToWrite[] tensors)
        {
            PeftAdapterFiles.Write(folder.Path, config, tensors);
            return Expect.Diagnostic("LB0423", () => PeftAdapterFiles.Read(folder.Path));
        }

        Read(Tensor(PeftAdapterFiles.KeyOfA("m.q_proj"), 2, 4));
        Read(Tensor(PeftAdapterFiles.KeyOfA("m.q_proj"), 2, 4), Tensor(PeftAdapterFiles.KeyOfB("m.q_proj"), 4, 3));
        Read(Tensor(PeftAdapterFiles.KeyOfA("m.q_proj"), 3, 4), Tensor(PeftAdapterFiles.KeyOfB("m.q_proj"), 4, 3));
        Read(Tensor("model.q_proj.lora_A.weight", 2, 4));
        File.Delete(folder.File(PeftAdapterFiles.WeightsFileName));
        Expect.Diagnostic("LB0423", () => PeftAdapterFiles.Read(folder.Path));
    }

    private static PeftAdapterConfig Parse(string json)
    {
        using TemporaryFolder folder = new();
        folder.Write(PeftAdapterConfig.FileName, json);
        return PeftAdapterConfig.Read(folder.Path);
    }
}
