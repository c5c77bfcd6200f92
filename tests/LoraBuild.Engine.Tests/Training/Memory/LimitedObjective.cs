// An objective whose passes need more memory than there is from a chosen size on: libtorch is really asked for too much.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training.Memory;

/// <param name="mostTokens">Of a training pass, asked anew for each.</param>
/// <param name="mostEvaluationTokens">Of an evaluation batch.</param>
internal sealed class LimitedObjective(ITrainingObjective inner, Func<int> mostTokens, int mostEvaluationTokens = int.MaxValue) : ITrainingObjective
{
    private const long MoreThanThereIs = 1L << 50;

    /// <summary>Tokens of each pass that went through.</summary>
    public List<int> Passes { get; } = [];

    public IReadOnlyList<int> UnitLengths => inner.UnitLengths;

    public MicroBatch Batch(IEnumerable<int> units) => inner.Batch(units);

    public long ItemsOf(MicroBatch batch) => inner.ItemsOf(batch);

    public double Backward(MicroBatch batch, long items)
    {
        double loss = inner.Backward(batch, items); // its gradients stay where they are, as after a failure half way
        if (batch.TokenCount > mostTokens())
            RunOut();
        Passes.Add(batch.TokenCount);
        return loss;
    }

    public EvaluationResult Evaluate(TokenDocuments documents, int batchTokens, CancellationToken cancellation)
    {
        if (batchTokens > mostEvaluationTokens)
            RunOut();
        return inner.Evaluate(documents, batchTokens, cancellation);
    }

    public PreferenceMetrics? TakePreferences() => inner.TakePreferences();

    private static void RunOut()
    {
        using Tensor impossible = empty([MoreThanThereIs], dtype: ScalarType.Float32);
    }
}
