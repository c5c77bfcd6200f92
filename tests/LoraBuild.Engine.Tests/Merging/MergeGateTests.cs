// The gate lets every right merge through, in each stored type, and stops a wrong one.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Models;

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
