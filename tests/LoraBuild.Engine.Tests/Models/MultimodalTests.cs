// Multimodal Gemma 3, trained on text: the vision tower stays as it is through training, saving and merging, in each layout of its files.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class MultimodalTests
{
    private static readonly int[] Tokens = [5, 9, 30, 7, 11, 60];

    public static TheoryData<string> Layouts() => ["gemma3-mm", "gemma3-mm-hubkeys", "gemma3-mm-modulekeys"];

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Fully_trained_weights_are_saved_with_the_files_names_and_the_vision_tower(string name)
    {
        using TemporaryDirectory saved = Golden.CopyOfModel(name);
        float[] trained;
        using (CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions { RequiresGrad = true }))
        {
            using (no_grad())
            {
                foreach ((_, Tensor weight) in model.TrainableParameters())
                    _ = weight.mul_(1.25);
            }

            trained = Logits(model);
            model.SaveWeights(saved.Path);
        }

        AssertSamePictures(Golden.Model(name), saved.Path);
        using (CausalLM model = CausalLM.Load(saved.Path, new LoadOptions()))
            Assert.Equal(trained, Logits(model));

        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");
        AdapterMerger.Merge(Golden.Model(name), saved.Path, merged);
        AssertSamePictures(Golden.Model(name), merged);
        using CausalLM mergedModel = CausalLM.Load(merged, new LoadOptions());
        Assert.Equal(trained, Logits(mergedModel));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void A_merged_adapter_leaves_the_vision_tower_and_the_names_as_they_were(string name)
    {
        using TemporaryDirectory output = new();
        string adapterDirectory = Path.Combine(output.Path, "adapter"), merged = Path.Combine(output.Path, "merged");
        float[] expected;
        using (CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions()))
        {
            using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 2, LoraAlpha = 8, TargetModulesPattern = AdapterPlan.AllLinear });
            Assert.All(adapter.Modules, m => Assert.StartsWith("model.language_model.layers.", m.Target.Path, StringComparison.Ordinal));
            using Generator generator = new(4);
            using (no_grad())
            {
                foreach (LoraLinear module in adapter.Modules)
                    _ = module.B.normal_(0, 0.1, generator);
            }

            expected = Logits(model);
            adapter.Save(adapterDirectory);
        }

        AdapterMerger.Merge(Golden.Model(name), adapterDirectory, merged);

        AssertSamePictures(Golden.Model(name), merged);
        using (CausalLM model = CausalLM.Load(merged, new LoadOptions()))
            GoldenTensors.AssertClose(expected, Logits(model), 1e-4, "merged logits");
        Assert.True(MergeGate.Check(Golden.Model(name), adapterDirectory, merged, new TokenDocuments(Tokens, Tokens, [0, Tokens.Length]), new MergeGateOptions()).Drift.IsWithinLimits);
    }

    [Fact]
    public void Names_that_text_and_pictures_share_are_the_texts_and_PEFT_is_told_so()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("gemma3-mm"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { TargetModules = ["q_proj"], ExcludeModules = ["layers.0.self_attn.q_proj"] });
        Assert.Equal(model.LayerCount - 1, adapter.Modules.Count);
        string pattern = adapter.Config.ExcludeModulesPattern!;
        Assert.Empty(adapter.Config.ExcludeModules);
        foreach ((string path, bool isExcluded) in new[]
        {
            ("model.vision_tower.vision_model.encoder.layers.0.self_attn.q_proj", true),
            ("model.vision_tower.encoder.layers.0.self_attn.q_proj", true),
            ("model.multi_modal_projector.q_proj", true),
            ("model.language_model.layers.0.self_attn.q_proj", true),
            ("model.language_model.layers.1.self_attn.q_proj", false),
        })
        {
            Assert.Equal(isExcluded, System.Text.RegularExpressions.Regex.IsMatch(path, $@"\A(?:{pattern})\z"));
        }
    }

    [Theory]
    [InlineData("vision_tower.vision_model.encoder.layers.0.self_attn.q_proj", null)]
    [InlineData("fc1", null)]
    [InlineData("out_proj", null)]
    [InlineData(null, ".*vision_tower.*q_proj")]
    [InlineData(null, ".*multi_modal_projector.*")]
    public void Asking_for_the_vision_tower_is_refused_with_an_explanation(string? name, string? pattern)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("gemma3-mm"), new LoadOptions());
        LoraOptions options = new() { TargetModules = name is null ? [] : [name], TargetModulesPattern = pattern };
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => LoraAdapter.Attach(model, options));
        Assert.Equal("LB0528", error.Diagnostics[0].Code);
        Assert.Contains("vision tower", error.Message, StringComparison.Ordinal);
    }

    /// <summary>The same names as the original, and every tensor that is not text with the same bytes.</summary>
    private static void AssertSamePictures(string originalDirectory, string directory)
    {
        using ModelFiles original = ModelFiles.Open(originalDirectory);
        using ModelFiles written = ModelFiles.Open(directory);
        Assert.Equal(original.Tensors.Keys, written.Tensors.Keys);
        string[] pictures = [.. original.Tensors.Keys.Where(n => n.Contains("vision", StringComparison.Ordinal) || n.Contains("multi_modal", StringComparison.Ordinal))];
        Assert.True(pictures.Length > 10);
        foreach (string name in pictures)
            Assert.True(original.FileOf(name).GetBytes(name).SequenceEqual(written.FileOf(name).GetBytes(name)), name);
    }

    private static float[] Logits(CausalLM model)
    {
        using var noGrad = no_grad();
        using PackedBatch batch = PackedBatch.FromDocuments([Tokens]);
        using Tensor hidden = model.HiddenStates(batch);
        using Tensor logits = model.Logits(hidden);
        return TensorTypes.ToFloat32Array(logits);
    }
}
