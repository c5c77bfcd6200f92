// Loss and perplexity of a model on documents.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Evaluation;

public static class PerplexityEvaluator
{
    /// <summary>Where no recipe says otherwise. The size of a batch does not change the loss beyond rounding.</summary>
    public const int DefaultBatchTokens = 4096;

    /// <param name="model">With its adapter as it is switched.</param>
    /// <param name="documents">A token counts where its label is not −100 and something comes before it.</param>
    /// <param name="batchTokens">Largest number of tokens in a forward pass; a longer document has one for itself.</param>
    /// <exception cref="DiagnosticException">LB0605: there is no target token.</exception>
    /// <exception cref="OperationCanceledException">Between two batches.</exception>
    public static EvaluationResult Evaluate(CausalLM model, TokenDocuments documents, int batchTokens, CancellationToken cancellation = default)
    {
        using IDisposable noGrad = no_grad();
        double sum = 0;
        long targets = 0;
        foreach (MicroBatch batch in Batches(documents, batchTokens))
        {
            cancellation.ThrowIfCancellationRequested();
            targets += batch.TargetCount;
            if (batch.TargetCount == 0)
                continue;
            using DisposeScope scope = NewDisposeScope();
            using PackedBatch packed = batch.ToPacked(model.Device);
            sum += CausalLMLoss.Sum(model, model.HiddenStates(packed), batch);
        }

        if (targets == 0)
            throw new DiagnosticException("LB0605", $"none of the {documents.Count} evaluation documents has a target token, so there is no loss. Check template.loss and the evaluation split.");
        double loss = sum / targets;
        return new EvaluationResult(loss, Math.Exp(loss), targets);
    }

    // In order of length: equally long documents stand beside each other.
    private static IEnumerable<MicroBatch> Batches(TokenDocuments documents, int batchTokens)
    {
        int[] order = [.. Enumerable.Range(0, documents.Count).OrderBy(d => documents[d].Length)];
        int[] lengths = [.. Enumerable.Range(0, documents.Count).Select(d => documents[d].Length)];
        foreach (int[] batch in RowPacking.Pack(order, lengths, batchTokens))
            yield return MicroBatch.Create(documents, batch);
    }
}
