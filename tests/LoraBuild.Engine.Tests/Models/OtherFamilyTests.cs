// Families beside the golden models: other names of Llama and Mistral, Phi-4-mini, SmolLM3, the first Gemma, windows of Qwen 3 and Mistral.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class OtherFamilyTests
{
    private const double LogitTolerance = 1e-4; // golden/families/README.md
    private const double HiddenTolerance = 5e-5;

    [Theory]
    [InlineData("gemma", "config.json")]
    [InlineData("internlm", "config.json")]
    [InlineData("ministral", "config.json")]
    [InlineData("mistral-no-window", "config.json")]
    [InlineData("phi4-mini", "config.json")]
    [InlineData("phi4-mini", "config.v4.json")]
    [InlineData("qwen3-swa", "config.json")]
    [InlineData("seed-oss", "config.json")]
    [InlineData("smollm3", "config.json")]
    [InlineData("smollm3-swa", "config.json")]
    public void Logits_and_hidden_states_equal_the_reference(string name, string config)
    {
        using TemporaryDirectory directory = Copy(name);
        if (config != "config.json")
            File.Copy(Path.Combine(directory.Path, config), Path.Combine(directory.Path, "config.json"), overwrite: true);
        AssertOutputs(directory.Path, name);
    }

    [Theory]
    [InlineData("xverse", "XverseForCausalLM")]
    [InlineData("aquila", "AquilaForCausalLM")]
    public void A_Llama_under_another_name_is_a_Llama(string modelType, string architecture)
    {
        using TemporaryDirectory renamed = Golden.CopyOfModel("llama-untied-rope3");
        string path = Path.Combine(renamed.Path, "config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["model_type"] = modelType;
        config["architectures"] = new JsonArray(architecture);
        File.WriteAllText(path, config.ToJsonString());
        using CausalLM model = CausalLM.Load(renamed.Path, new LoadOptions());
        using CausalLM original = CausalLM.Load(Golden.Model("llama-untied-rope3"), new LoadOptions());
        using var noGrad = no_grad();
        using PackedBatch batch = PackedBatch.FromDocuments([new int[] { 5, 9, 30, 7, 11 }]);
        Assert.Equal(TensorTypes.ToFloat32Array(original.HiddenStates(batch)), TensorTypes.ToFloat32Array(model.HiddenStates(batch)));
        Assert.Equal(("llama", modelType), (model.Config.ModelType, model.Config.FileModelType));
    }

    [Theory]
    [InlineData("mistral-no-window", "sliding_window", "5")] // the window is applied
    [InlineData("qwen3-swa", "max_window_layers", "4")] // no layer slides
    [InlineData("qwen3-swa", "use_sliding_window", "false")]
    [InlineData("smollm3", "no_rope_layer_interval", "4")]
    [InlineData("phi4-mini", "original_max_position_embeddings", "20")] // short factors
    [InlineData("seed-oss", "attention_bias", "false")]
    public void Each_key_of_a_family_changes_the_outcome(string name, string key, string value)
    {
        using TemporaryDirectory directory = Copy(name);
        string path = Path.Combine(directory.Path, "config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config[key] = JsonNode.Parse(value);
        config.Remove(key == "attention_bias" ? "" : "layer_types"); // what the class derived from the key
        config.Remove(key == "no_rope_layer_interval" ? "no_rope_layers" : "");
        File.WriteAllText(path, config.ToJsonString());
        if (key == "attention_bias")
        {
            // Weights that the config has no place for are not left out.
            Assert.Equal("LB0511", Assert.Throws<DiagnosticException>(() => CausalLM.Load(directory.Path, new LoadOptions())).Diagnostics[0].Code);
            return;
        }

        Assert.Throws<Xunit.Sdk.TrueException>(() => AssertOutputs(directory.Path, name));
    }

    private static void AssertOutputs(string directory, string name)
    {
        using CausalLM model = CausalLM.Load(directory, new LoadOptions());
        using GoldenTensors golden = new(Path.Combine(Golden.Root, "families", name, "golden.safetensors"));
        long[] mask = golden.Integers("attention_mask");
        using var noGrad = no_grad();
        using PaddedBatch batch = golden.Batch();
        using Tensor hidden = model.HiddenStates(batch.Packed);
        using Tensor logits = model.Logits(hidden);
        using Tensor paddedLogits = batch.Scatter(logits);
        using Tensor paddedHidden = batch.Scatter(hidden);
        golden.AssertClose("logits", paddedLogits, mask, LogitTolerance);
        golden.AssertClose("hidden_final", paddedHidden, mask, HiddenTolerance);
    }

    private static TemporaryDirectory Copy(string name)
    {
        TemporaryDirectory copy = new();
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Golden.Root, "families", name)))
            File.Copy(file, Path.Combine(copy.Path, Path.GetFileName(file)));
        return copy;
    }
}
