// Language modelling: every target token counts the same.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

internal sealed class TokenObjective(CausalLM model, TokenDocuments train, double labelSmoothing) : ITrainingObjective
{
    public IReadOnlyList<int> UnitLengths { get; } = LengthsOf(train);

    public static IReadOnlyList<int> LengthsOf(TokenDocuments documents) => [.. Enumerable.Range(0, documents.Count).Select(i => documents[i].Length)];

    public MicroBatch Batch(IEnumerable<int> units) => MicroBatch.Create(train, units);

    public long ItemsOf(MicroBatch batch) => batch.TargetCount;

    public double Backward(MicroBatch batch, long items)
    {
        if (batch.TargetCount == 0)
            return 0;
        using DisposeScope scope = NewDisposeScope();
        using PackedBatch packed = batch.ToPacked(model.Device);
        return CausalLMLoss.Backward(model, model.TrainingPass(packed), batch, 1.0 / items, labelSmoothing) / items;
    }

    public EvaluationResult Evaluate(TokenDocuments documents, int batchTokens, CancellationToken cancellation) =>
        PerplexityEvaluator.Evaluate(model, documents, batchTokens, cancellation);

    public PreferenceMetrics? TakePreferences() => null;
}
