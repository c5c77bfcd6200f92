// Re-reads a merged model and holds its answers against those of base+adapter: a merge that is wrong fails here, not at the user's.
using System.Globalization;
using System.Runtime.InteropServices;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Merging;

public sealed record MergeGateOptions
{
    /// <summary>The recipe's <c>merge.max_drift</c>.</summary>
    public double MaxDrift { get; init; } = 1e-3;

    /// <summary>Tokens looked at; their hidden states are held in memory, their logits a few rows at a time.</summary>
    public int MaxTokens { get; init; } = 512;

    /// <summary>All of the held-out tokens, on which the merged model's perplexity is measured; null: it is not.</summary>
    public TokenDocuments? HeldOut { get; init; }

    /// <summary>Where and in which arithmetic both models run, and how the base's weights are held; the merged model's are not quantised.</summary>
    public LoadOptions Load { get; init; } = new();
}

/// <param name="HeldOut">The merged model on <see cref="MergeGateOptions.HeldOut"/>.</param>
public sealed record MergeGateResult(MergeDriftReport Drift, EvaluationResult? HeldOut);

public static class MergeGate
{
    private const long ChunkElements = 8 << 20; // logits of either model that exist at once: 32 MB in fp32

    /// <summary>Compares on the first documents of <paramref name="documents"/>. The models' layers are loaded one after the other, never together.</summary>
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
        using IDisposable noGrad = no_grad();
        using CausalLM trained = CausalLM.Load(isAdapter ? modelDirectory : trainedDirectory, options.Load);
        using LoraAdapter? adapter = isAdapter ? LoraAdapter.Load(trained, trainedDirectory, isTrainable: false) : null;
        using Tensor expected = HiddenStates(trained, chosen); // [tokens, hidden]
        trained.ReleaseLayers(); // its head is what the comparison still needs
        using CausalLM merged = CausalLM.Load(mergedDirectory, options.Load with { Quantization = null });
        MergeDriftMeter meter = new(merged.LayerCount, Roundoff(mergedDirectory, merged), options.MaxDrift);
        using (Tensor found = HiddenStates(merged, chosen))
            Compare(trained, expected, merged, found, Targets(chosen), meter, cancellation);
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

    /// <returns>[tokens, hidden] of all documents, one after the other.</returns>
    private static Tensor HiddenStates(CausalLM model, List<TokenDocument> documents)
    {
        using PackedBatch batch = PackedBatch.FromDocuments(documents.Select(d => d.InputIds), model.Device);
        return model.HiddenStates(batch);
    }

    /// <returns>[tokens]: what each token has to predict, or −100.</returns>
    private static int[] Targets(List<TokenDocument> documents)
    {
        List<long> positions = [], ids = [];
        int tokens = 0;
        foreach (TokenDocument document in documents)
        {
            LabelShift.Append(document.Labels.Span, tokens, positions, ids);
            tokens += document.Length;
        }

        int[] targets = new int[tokens];
        Array.Fill(targets, LabelShift.Ignored);
        foreach ((long position, long id) in positions.Zip(ids))
            targets[position] = (int)id;
        return targets;
    }

    /// <summary>Some rows of logits at a time, of both models.</summary>
    private static void Compare(CausalLM trained, Tensor expected, CausalLM merged, Tensor found, int[] targets, MergeDriftMeter meter, CancellationToken cancellation)
    {
        int step = (int)HeadCrossEntropy.EqualParts(targets.Length, Math.Max(1, ChunkElements / merged.VocabSize));
        for (int row = 0; row < targets.Length; row += step)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            int rows = Math.Min(step, targets.Length - row);
            Tensor before = trained.Logits(expected.narrow(0, row, rows)).cpu(); // [rows, vocabulary]
            Tensor after = merged.Logits(found.narrow(0, row, rows)).cpu();
            meter.Add(MemoryMarshal.Cast<byte, float>(before.bytes), MemoryMarshal.Cast<byte, float>(after.bytes), targets.AsSpan(row, rows));
        }
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
