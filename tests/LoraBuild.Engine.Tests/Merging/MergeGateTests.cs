// The gate lets every right merge through, in each stored type, and stops a wrong one.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;

namespace LoraBuild.Engine.Tests.Merging;

public sealed class MergeGateTests
{
    [Theory]
    [InlineData("llama-tied-qkv-r4", "llama-tied", null)]
    [InlineData("llama-tied-qkvog-r16", "llama-tied", TensorDtype.BF16)]
    [InlineData("llama-tied-qkvog-r16", "llama-tied", TensorDtype.F16)]
    [InlineData("llama-tied-embed-head-r4-untied", "llama-tied", null)]
    [InlineData("llama-tied-all7-r8-dora", "llama-tied", null)]
    [InlineData("qwen2-qkv-r64", "qwen2-tied", null)]
    public void A_right_merge_passes(string run, string model, TensorDtype? dtype)
    {
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged"), adapter = Path.Combine(Golden.Lora(run), "adapter_final");
        AdapterMerger.Merge(Golden.Model(model), adapter, merged, new MergeOptions { Dtype = dtype });

        (MergeDriftReport report, EvaluationResult? heldOut) = MergeGate.Check(Golden.Model(model), adapter, merged, Documents(), new MergeGateOptions { MaxTokens = 48, HeldOut = Documents() });

        if (dtype is null)
            Assert.InRange(report.MaxLogitDifference, 0, 1e-4); // fp32: README, "logits, fp32 arithmetic"
        Assert.Equal((48, 46), (report.Tokens, report.TargetTokens));
        using CausalLM re = CausalLM.Load(merged, new LoadOptions());
        Assert.Equal(PerplexityEvaluator.Evaluate(re, Documents(), 4096), heldOut);
    }

    [Theory]
    [InlineData(TensorDtype.BF16)]
    [InlineData(TensorDtype.F16)]
    public void Weights_as_they_are_stored_give_the_figures_of_widened_ones(TensorDtype dtype)
    {
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged"), adapter = Path.Combine(Golden.Lora("llama-tied-qkvog-r16"), "adapter_final");
        AdapterMerger.Merge(Golden.Model("llama-tied"), adapter, merged, new MergeOptions { Dtype = dtype });
        MergeGateOptions options = new() { HeldOut = Documents() };

        MergeGateResult wide = MergeGate.Check(Golden.Model("llama-tied"), adapter, merged, Documents(), options);
        MergeGateResult stored = MergeGate.Check(Golden.Model("llama-tied"), adapter, merged, Documents(), options with { Load = new LoadOptions { HoldsStoredType = true } });

        Assert.Equal(wide, stored);
    }

    [Theory]
    [InlineData(WeightCode.Nf4)]
    [InlineData(WeightCode.Int8)]
    public void Merged_into_decoded_weights_it_is_what_training_saw_and_into_the_original_ones_it_is_not(WeightCode code)
    {
        using TemporaryDirectory output = new();
        string original = Path.Combine(output.Path, "original"), decoded = Path.Combine(output.Path, "decoded"), adapter = Path.Combine(Golden.Lora("llama-tied-qkvog-r16"), "adapter_final");
        QuantizationOptions quantization = new() { Code = code };
        AdapterMerger.Merge(Golden.Model("llama-tied"), adapter, original);
        AdapterMerger.Merge(Golden.Model("llama-tied"), adapter, decoded, new MergeOptions { Dequantized = quantization });
        MergeGateOptions asTrained = new() { Load = new LoadOptions { Quantization = quantization } };

        Assert.InRange(MergeGate.Check(Golden.Model("llama-tied"), adapter, decoded, Documents(), asTrained).Drift.MaxLogitDifference, 0, 1e-4);
        MergeDriftReport drift = MergeGate.Measure(Golden.Model("llama-tied"), adapter, original, Documents(), asTrained).Drift;
        Assert.False(drift.IsWithinLimits, drift.ToString());
        Assert.False(MergeGate.Measure(Golden.Model("llama-tied"), adapter, decoded, Documents(), new MergeGateOptions()).Drift.IsWithinLimits);
    }

    [Fact]
    public void An_adapter_merges_into_a_base_that_is_stored_quantised()
    {
        using TemporaryDirectory stored = Golden.CopyOfModel("llama-tied");
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged"), adapter = Path.Combine(Golden.Lora("llama-tied-all7-r8-dora"), "adapter_final");
        using (ModelFiles files = ModelFiles.Open(Golden.Model("llama-tied")))
        {
            SafetensorsWriter.Write(Path.Combine(stored.Path, ModelFiles.SingleFileName), [.. files.Tensors.Keys.SelectMany(n => n.Contains("_proj.weight", StringComparison.Ordinal)
                ? PackedArrays.Encode(WeightCode.Nf4, files.ReadFloat32(n), files.Tensors[n].Shape, 64, true).ToWrite(n, TensorDtype.F32)
                : [TensorToWrite.CopyOf(files.FileOf(n), n)])]);
        }

        string config = Path.Combine(stored.Path, "config.json");
        File.WriteAllText(config, "{\"quantization_config\": {\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true}," + File.ReadAllText(config).TrimStart()[1..]);

        AdapterMerger.Merge(stored.Path, adapter, merged);

        Assert.InRange(MergeGate.Check(stored.Path, adapter, merged, Documents(), new MergeGateOptions()).Drift.MaxLogitDifference, 0, 1e-4);
        Assert.DoesNotContain("quantization_config", File.ReadAllText(Path.Combine(merged, "config.json")), StringComparison.Ordinal);
        using ModelFiles plain = ModelFiles.Open(merged);
        Assert.All(plain.Tensors.Values, t => Assert.Equal(TensorDtype.F32, t.Dtype));
    }

    [Fact]
    public void The_base_itself_is_not_the_merged_model()
    {
        string adapter = Path.Combine(Golden.Lora("llama-tied-qkv-r4"), "adapter_final");
        DiagnosticException e = Assert.Throws<DiagnosticException>(() => MergeGate.Check(Golden.Model("llama-tied"), adapter, Golden.Model("llama-tied"), Documents(), new MergeGateOptions()));
        Assert.Equal("LB0707", e.Diagnostics[0].Code);
    }

    [Theory]
    [InlineData(TensorDtype.BF16)]
    [InlineData(TensorDtype.F16)]
    public void A_merge_with_the_wrong_scale_is_stopped_also_in_coarse_types(TensorDtype dtype)
    {
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged"), right = Path.Combine(Golden.Lora("llama-tied-qkvog-r16"), "adapter_final");
        using PeftAdapterFiles adapter = PeftAdapterFiles.Read(right);
        string wrong = Path.Combine(output.Path, "wrong");
        PeftAdapterFiles.Write(wrong, adapter.Config with { LoraAlpha = adapter.Config.LoraAlpha * 2 }, [.. adapter.Weights.Tensors.Keys.Select(n => TensorToWrite.CopyOf(adapter.Weights, n))]);
        AdapterMerger.Merge(Golden.Model("llama-tied"), wrong, merged, new MergeOptions { Dtype = dtype });

        MergeDriftReport report = MergeGate.Measure(Golden.Model("llama-tied"), right, merged, Documents(), new MergeGateOptions()).Drift;

        Assert.False(report.IsWithinLimits, report.ToString());
    }

    [Fact]
    public void Without_documents_there_is_nothing_to_compare()
    {
        DiagnosticException e = Assert.Throws<DiagnosticException>(() => MergeGate.Check(Golden.Model("llama-tied"), "none", Golden.Model("llama-tied"), new TokenDocuments([], [], [0]), new MergeGateOptions()));
        Assert.Equal("LB0708", e.Diagnostics[0].Code);
    }

    private static TokenDocuments Documents()
    {
        int[] ids = [.. Enumerable.Range(0, 60).Select(i => 5 + (i * 37 % 200))];
        return new TokenDocuments(ids, ids, [0, 30, 60]);
    }
}
