// Re-reads a merged model and holds its answers against those of base+adapter: a merge that is wrong fails here, not at the user's.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Merging;

public sealed record MergeGateOptions
{
    /// <summary>The recipe's <c>merge.max_drift</c>.</summary>
    public double MaxDrift { get; init; } = 1e-3;

    /// <summary>Tokens looked at; their logits are held in memory (tokens × vocabulary × 4 bytes).</summary>
    public int MaxTokens { get; init; } = 512;

    /// <summary>All of the held-out tokens, on which the merged model's perplexity is measured; null: it is not.</summary>
    public TokenDocuments? HeldOut { get; init; }

    /// <summary>Where and in which arithmetic both models run, and how the base's weights are held; the merged model's are plain.</summary>
    public LoadOptions Load { get; init; } = new();
}

/// <param name="HeldOut">The merged model on <see cref="MergeGateOptions.HeldOut"/>.</param>
public sealed record MergeGateResult(MergeDriftReport Drift, EvaluationResult? HeldOut);

public static class MergeGate
{
    /// <summary>Compares on the first documents of <paramref name="documents"/>. The models are loaded one after the other, never together.</summary>
    /// <param name="trainedDirectory">A PEFT adapter, or a directory with fully fine-tuned weights and config.json.</param>
    /// <exception cref="DiagnosticException">LB0707: the merged model drifts beyond the bound; LB0708: no document to compare on.</exception>
    /// <exception cref="OperationCanceledException">Between two batches.</exception>
    public static MergeGateResult Check(string modelDirectory, string trainedDirectory, string mergedDirectory, TokenDocuments documents, MergeGateOptions options, CancellationToken cancellation = default)
    {
        MergeGateResult result = Measure(modelDirectory, trainedDirectory, mergedDirectory, documents, options, cancellation);
        MergeDriftReport report = result.Drift;
        if (!report.IsWithinLimits)
            throw new DiagnosticException("LB0707", string.Create(CultureInfo.InvariantCulture, $"the merged model does not answer as base+adapter do: logits differ by up to {report.MaxLogitDifference:g3} (allowed {report.LogitLimit:g3}), perplexity by {report.PerplexityDrift:p3} (allowed {report.PerplexityLimit:p3}), on {report.Tokens} tokens. Merge in a finer type (merge.dtype: float32), or raise merge.max_drift"), mergedDirectory);
        return result;
    }

    /// <summary>The same without judging.</summary>
    public static MergeGateResult Measure(string modelDirectory, string trainedDirectory, string mergedDirectory, TokenDocuments documents, MergeGateOptions options, CancellationToken cancellation = default)
    {
        List<TokenDocument> chosen = Choose(documents, options.MaxTokens);
        if (chosen.Count == 0)
            throw new DiagnosticException("LB0708", "there is no document to compare the merged model on; give it tokens of the evaluation or training split", mergedDirectory);
        bool isAdapter = File.Exists(Path.Combine(trainedDirectory, PeftAdapterConfig.FileName));
        List<float[]> expected = [];
        using (CausalLM model = CausalLM.Load(isAdapter ? modelDirectory : trainedDirectory, options.Load))
        {
            using LoraAdapter? adapter = isAdapter ? LoraAdapter.Load(model, trainedDirectory, isTrainable: false) : null;
            foreach (TokenDocument document in chosen)
                expected.Add(Logits(model, document));
        }

        using CausalLM merged = CausalLM.Load(mergedDirectory, options.Load with { Quantization = null });
        MergeDriftMeter meter = new(merged.LayerCount, Roundoff(mergedDirectory, merged), options.MaxDrift);
        for (int i = 0; i < chosen.Count; i++)
            meter.Add(expected[i], Logits(merged, chosen[i]), chosen[i].Labels.Span);
        return new MergeGateResult(meter.Report(), options.HeldOut is null ? null : PerplexityEvaluator.Evaluate(merged, options.HeldOut, PerplexityEvaluator.DefaultBatchTokens, cancellation));
    }

    /// <summary>Whole documents while there is room; the first one that does not fit is cut.</summary>
    private static List<TokenDocument> Choose(TokenDocuments documents, int maxTokens)
    {
        List<TokenDocument> chosen = [];
        int left = maxTokens;
        for (int i = 0; i < documents.Count && left > 0; i++)
        {
            TokenDocument document = documents[i];
            int length = Math.Min(left, document.Length);
            if (length > 0)
                chosen.Add(new TokenDocument(document.InputIds[..length], document.Labels[..length]));
            left -= length;
        }

        return chosen;
    }

    /// <returns>[tokens, vocabulary]</returns>
    private static float[] Logits(CausalLM model, TokenDocument document)
    {
        using IDisposable noGrad = no_grad();
        using var scope = NewDisposeScope();
        using PackedBatch batch = PackedBatch.FromDocuments([document.InputIds], model.Device);
        return model.Logits(model.HiddenStates(batch)).cpu().data<float>().ToArray();
    }

    /// <summary>The coarser of what is stored in the merged files and what is computed in.</summary>
    private static double Roundoff(string mergedDirectory, CausalLM merged)
    {
        using ModelFiles files = ModelFiles.Open(mergedDirectory);
        double stored = files.Tensors.Values.Max(t => MergeDriftMeter.UnitRoundoff(t.Dtype));
        double computed = merged.Dtype switch
        {
            ScalarType.BFloat16 => MergeDriftMeter.UnitRoundoff(TensorDtype.BF16),
            ScalarType.Float16 => MergeDriftMeter.UnitRoundoff(TensorDtype.F16),
            _ => MergeDriftMeter.UnitRoundoff(TensorDtype.F32),
        };
        return Math.Max(stored, computed);
    }
}
