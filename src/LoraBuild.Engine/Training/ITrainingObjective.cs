// What a step minimises: what is put into batches, what the loss is divided by, and its gradient.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Evaluation;

namespace LoraBuild.Engine.Training;

internal interface ITrainingObjective
{
    /// <summary>Tokens of each thing that goes into a batch: a document, or a pair of answers.</summary>
    IReadOnlyList<int> UnitLengths { get; }

    /// <summary>The documents of the units, for one forward pass.</summary>
    MicroBatch Batch(IEnumerable<int> units);

    /// <summary>What the step's loss is the mean over: target tokens, or pairs.</summary>
    long ItemsOf(MicroBatch batch);

    /// <summary>Adds the gradient of the batch's losses / <paramref name="items"/> to every trained tensor.</summary>
    /// <returns>The sum of the batch's losses / <paramref name="items"/>.</returns>
    double Backward(MicroBatch batch, long items);

    /// <summary>The mean loss on held-out documents, without dropout and noise.</summary>
    /// <exception cref="OperationCanceledException">Between two batches.</exception>
    EvaluationResult Evaluate(TokenDocuments documents, int batchTokens, CancellationToken cancellation);

    /// <summary>What the batches since the last call say about preferences; null where there are none.</summary>
    PreferenceMetrics? TakePreferences();
}
