// Every kind of LoRA adapter that PEFT writes is read, computes what PEFT computes, and merges into a model that does the same.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Adapters;

public sealed class PeftAdapterKindTests
{
    private const double LogitTolerance = 2e-4; // golden/peft/README.md

    [Theory]
    [InlineData("patterns")]
    [InlineData("regex-exclude")]
    [InlineData("embedding-tied")]
    [InlineData("embedding-head")]
    [InlineData("token-rows-tied")]
    [InlineData("token-rows-untied")]
    [InlineData("bias-all")]
    [InlineData("bias-lora-only")]
    [InlineData("norms-saved")]
    [InlineData("pissa-converted")]
    [InlineData("all-linear")]
    [InlineData("bf16")]
    [InlineData("gemma3-mm")]
    public void Attached_and_merged_it_gives_PEFTs_logits(string name)
    {
        string adapterDirectory = Directory(name);
        using GoldenTensors golden = new(Path.Combine(adapterDirectory, "golden.safetensors"));
        using (CausalLM model = CausalLM.Load(Base(name), new LoadOptions()))
        {
            float[] before = Logits(model, golden);
            using (LoraAdapter adapter = LoraAdapter.Load(model, adapterDirectory, isTrainable: false))
            {
                GoldenTensors.AssertClose(golden.Floats("logits"), Logits(model, golden), LogitTolerance, "attached");
                adapter.IsEnabled = false;
                Assert.Equal(before, Logits(model, golden));
            }

            Assert.Equal(before, Logits(model, golden));
        }

        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");
        AdapterMerger.Merge(Base(name), adapterDirectory, merged, new MergeOptions { Dtype = TensorDtype.F32 });
        using CausalLM mergedModel = CausalLM.Load(merged, new LoadOptions());
        GoldenTensors.AssertClose(golden.Floats("logits"), Logits(mergedModel, golden), LogitTolerance, "merged");
    }

    [Theory]
    [InlineData("token-rows-tied", true)]
    [InlineData("token-rows-untied", false)]
    [InlineData("embedding-tied", false)] // PEFT's head goes on with the embedding as it was
    public void A_merged_head_is_tied_where_both_are_one(string name, bool isTied)
    {
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");
        AdapterMerger.Merge(Base(name), Directory(name), merged);
        Assert.Equal(isTied, ModelConfig.Load(merged).TieWordEmbeddings);
        using ModelFiles files = ModelFiles.Open(merged);
        Assert.Equal(!isTied, files.Tensors.ContainsKey("lm_head.weight"));
    }

    [Theory]
    [InlineData("olora", "init_lora_weights")]
    [InlineData("lora-bias", "lora_bias")]
    [InlineData("embedding-dora", "DoRA")]
    public void What_cannot_be_read_is_refused_with_the_reason(string name, string reason)
    {
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => PeftAdapterFiles.Read(Directory(name)));
        Assert.Equal("LB0422", error.Diagnostics[0].Code);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("embedding-tied", "LB0529")]
    [InlineData("norms-saved", "LB0529")]
    public void Parts_that_are_only_read_cannot_be_trained_further(string name, string code)
    {
        using CausalLM model = CausalLM.Load(Base(name), new LoadOptions());
        Assert.Equal(code, Assert.Throws<DiagnosticException>(() => LoraAdapter.Load(model, Directory(name), isTrainable: true)).Diagnostics[0].Code);
        using LoraAdapter adapter = LoraAdapter.Load(model, Directory(name), isTrainable: false);
        using TemporaryDirectory directory = new();
        Assert.Throws<InvalidOperationException>(() => adapter.Save(directory.Path));
    }

    [Theory]
    [InlineData("patterns")]
    [InlineData("regex-exclude")]
    [InlineData("pissa-converted")]
    [InlineData("all-linear")]
    [InlineData("gemma3-mm")]
    [InlineData("bias-all")]
    [InlineData("bias-lora-only")]
    [InlineData("token-rows-tied")]
    [InlineData("token-rows-untied")]
    public void What_is_written_again_equals_what_was_read(string name)
    {
        using CausalLM model = CausalLM.Load(Base(name), new LoadOptions());
        using TemporaryDirectory directory = new();
        using (LoraAdapter adapter = LoraAdapter.Load(model, Directory(name), isTrainable: true))
            adapter.Save(directory.Path);
        Assert.Equal(File.ReadAllBytes(Path.Combine(Directory(name), PeftAdapterFiles.WeightsFileName)), File.ReadAllBytes(Path.Combine(directory.Path, PeftAdapterFiles.WeightsFileName)));
        JsonNode before = JsonNode.Parse(File.ReadAllText(Path.Combine(Directory(name), PeftAdapterConfig.FileName)))!;
        JsonNode after = JsonNode.Parse(File.ReadAllText(Path.Combine(directory.Path, PeftAdapterConfig.FileName)))!;
        Assert.True(JsonNode.DeepEquals(before, after), after.ToJsonString());
    }

    [Theory]
    [InlineData("patterns")]
    [InlineData("regex-exclude")]
    [InlineData("all-linear")]
    [InlineData("gemma3-mm")]
    public void The_same_options_choose_the_modules_that_PEFT_chose(string name)
    {
        using PeftAdapterFiles files = PeftAdapterFiles.Read(Directory(name));
        using CausalLM model = CausalLM.Load(Base(name), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, OptionsOf(files.Config));
        Assert.Equal(
            files.Pairs.Select(p => (p.ModulePath, p.R, files.Config.ScalingOf(p.ModulePath))).Order(),
            adapter.Modules.Select(m => (m.Target.Path, m.Target.R, m.Target.Scaling)).Order());
    }

    [Fact]
    public void An_adapter_with_the_module_paths_of_older_libraries_fits()
    {
        using PeftAdapterFiles files = PeftAdapterFiles.Read(Directory("gemma3-mm"));
        using TemporaryDirectory old = new();
        PeftAdapterFiles.Write(old.Path, files.Config, [.. files.Weights.Tensors.Keys.Select(n => TensorToWrite.CopyOf(files.Weights, n, n.Replace("model.model.language_model.", "model.language_model.model.", StringComparison.Ordinal)))]);
        using GoldenTensors golden = new(Path.Combine(Directory("gemma3-mm"), "golden.safetensors"));
        using CausalLM model = CausalLM.Load(Base("gemma3-mm"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Load(model, old.Path, isTrainable: false);
        GoldenTensors.AssertClose(golden.Floats("logits"), Logits(model, golden), LogitTolerance, "attached");
    }

    private static LoraOptions OptionsOf(PeftAdapterConfig config) => new()
    {
        R = config.R,
        LoraAlpha = config.LoraAlpha,
        TargetModules = config.TargetModules,
        TargetModulesPattern = config.TargetModulesPattern,
        ExcludeModules = config.ExcludeModules,
        ExcludeModulesPattern = config.ExcludeModulesPattern,
        LayersToTransform = config.LayersToTransform,
        RankPattern = config.RankPattern,
        AlphaPattern = config.AlphaPattern,
        UseRslora = config.UseRslora,
    };

    private static string Directory(string name) => Path.Combine(Golden.Root, "peft", name);

    private static string Base(string name) =>
        Golden.Model(JsonNode.Parse(File.ReadAllText(Path.Combine(Directory(name), "golden.json")))!["base"]!.GetValue<string>());

    private static float[] Logits(CausalLM model, GoldenTensors golden)
    {
        using var noGrad = no_grad();
        using PackedBatch batch = PackedBatch.FromDocuments([golden.Integers("input_ids").Select(i => (int)i).ToArray()]);
        using Tensor hidden = model.HiddenStates(batch);
        using Tensor logits = model.Logits(hidden);
        return TensorTypes.ToFloat32Array(logits);
    }
}
