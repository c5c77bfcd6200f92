// Biases trained beside an adapter.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Tests.Training;
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Adapters;

public sealed class TrainedBiasTests
{
    [Theory]
    [InlineData("none", 0)]
    [InlineData("lora_only", 1)]
    [InlineData("all", 3)]
    public void Biases_are_trained_saved_as_PEFT_names_them_and_merged(string bias, int ofEachLayer)
    {
        using TemporaryDirectory output = new();
        float[] trained, before;
        int layers;
        using (CausalLM model = CausalLM.Load(Golden.Model("qwen2-tied"), new LoadOptions()))
        {
            layers = model.LayerCount;
            before = Hidden(model);
            using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 2, LoraAlpha = 4, TargetModules = ["q_proj", "o_proj"], Bias = bias, Seed = 3 });
            GoldenTensors.AssertClose(before, Hidden(model), 0, "a fresh adapter");
            Trainer.Run(model, adapter, TinyRun.Train, null, TinyRun.Options with { MaxSteps = 4, WeightDecay = 0.5 }, output.Path, new RecordingObserver());
            trained = Hidden(model);
            adapter.IsEnabled = false;
            GoldenTensors.AssertClose(before, Hidden(model), 0, "switched off");
        }

        string saved = Path.Combine(output.Path, "adapter");
        using (SafetensorsFile file = SafetensorsFile.Open(Path.Combine(saved, PeftAdapterFiles.WeightsFileName)))
        {
            Assert.Equal(ofEachLayer * layers, file.Tensors.Keys.Count(k => k.EndsWith(".bias", StringComparison.Ordinal)));
            Assert.Equal(bias != "none", file.Tensors.ContainsKey("base_model.model.model.layers.0.self_attn.q_proj.base_layer.bias"));
            Assert.Equal(bias == "all", file.Tensors.ContainsKey("base_model.model.model.layers.0.self_attn.v_proj.bias"));
        }

        string merged = Path.Combine(output.Path, "merged");
        AdapterMerger.Merge(Golden.Model("qwen2-tied"), saved, merged, new MergeOptions { Dtype = TensorDtype.F32 });
        using CausalLM again = CausalLM.Load(merged, new LoadOptions());
        Assert.True(GoldenTensors.LargestDifference(before, trained) > 1e-3);
        GoldenTensors.AssertClose(trained, Hidden(again), 2e-5, "merged");
    }

    [Fact]
    public void An_adapter_with_biases_is_trained_further_and_its_biases_do_not_decay()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("qwen2-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 2, TargetModules = ["q_proj"], Bias = "lora_only" });
        (string Name, Tensor Value)[] biases = [.. adapter.Parameters().Where(p => p.Name.EndsWith(".bias", StringComparison.Ordinal))];
        Assert.Equal(model.LayerCount, biases.Length);
        Assert.All(biases, b => Assert.True(b.Value.requires_grad && !WeightDecayRule.Decays(b.Name)));
        using TemporaryDirectory directory = new();
        adapter.Save(directory.Path);
        adapter.Dispose();
        using LoraAdapter loaded = LoraAdapter.Load(model, directory.Path, isTrainable: true);
        Assert.Equal(model.LayerCount, loaded.Parameters().Count(p => p.Name.EndsWith(".bias", StringComparison.Ordinal) && p.Value.requires_grad));
    }

    private static float[] Hidden(CausalLM model)
    {
        using var noGrad = no_grad();
        using PackedBatch batch = PackedBatch.FromDocuments([new int[] { 3, 1, 4, 1, 5, 9, 2, 6 }]);
        using Tensor hidden = model.HiddenStates(batch);
        return TensorTypes.ToFloat32Array(hidden);
    }
}
