// Preference training on pairs of documents: 2k is the better answer to a prompt, 2k + 1 the worse one. Only the answers' tokens are targets.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Recomputation;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Preference;

/// <summary>The reference model is the same model with its adapter switched off: no second copy of the weights. A step's loss is the mean over its pairs.</summary>
internal sealed class PreferenceObjective : ITrainingObjective
{
    private readonly CausalLM model;
    private readonly LoraAdapter? adapter;
    private readonly TokenDocuments train;
    private readonly PreferenceOptions options;
    private int pairsSeen;
    private int pairsRight;
    private double margins;

    /// <exception cref="DiagnosticException">LB0612: there is no reference model, or evaluation data of another kind. LB0613: an answer has no target.</exception>
    public PreferenceObjective(CausalLM model, LoraAdapter? adapter, TokenDocuments train, TokenDocuments? evaluation, PreferenceOptions options)
    {
        this.model = model;
        this.adapter = adapter;
        this.train = train;
        this.options = options;
        if (adapter is null && options.NeedsReference)
            throw new DiagnosticException("LB0612", $"the preference loss {options.Loss.ToString().ToLowerInvariant()} compares with the model as it was before training, which is the model without its adapter; in full fine-tuning there is none. Train an adapter, or use a loss without a reference (simpo, orpo, dpo with reference_free: true).");
        if (evaluation is { IsPairs: false })
            throw new DiagnosticException("LB0612", "the training documents are preference pairs and the evaluation documents are not; give both in the format preference.");
        CheckTargets(train, "training");
        if (evaluation is not null)
            CheckTargets(evaluation, "evaluation");
        UnitLengths = LengthsOf(train);
    }

    public IReadOnlyList<int> UnitLengths { get; }

    public MicroBatch Batch(IEnumerable<int> units) => BatchOf(train, units);

    public long ItemsOf(MicroBatch batch) => batch.Parts.Count / 2;

    public double Backward(MicroBatch batch, long items)
    {
        using DisposeScope scope = NewDisposeScope();
        using PackedBatch packed = batch.ToPacked(model.Device);
        double[]? reference = options.NeedsReference ? ReferenceSums(packed, batch) : null; // first, while no graph is in memory
        ITrainingPass pass = model.TrainingPass(packed);
        (PairLoss Loss, int Chosen, int Rejected)[] losses = Losses(batch, Sums(CausalLMLoss.LogProbabilities(model, pass.Hidden, batch), batch), reference);

        float[] weights = new float[batch.TargetCount];
        double sum = 0;
        foreach ((PairLoss loss, int chosen, int rejected) in losses)
        {
            sum += loss.Value;
            Count(loss);
            // A token's own loss is −log p, so its weight is −∂loss/∂log p.
            weights.AsSpan(batch.Parts[chosen].FirstTarget, batch.Parts[chosen].Targets).Fill((float)(-loss.ByChosen / items));
            weights.AsSpan(batch.Parts[rejected].FirstTarget, batch.Parts[rejected].Targets).Fill((float)(-loss.ByRejected / items));
        }

        CausalLMLoss.BackwardWeighted(model, pass, batch, weights);
        return sum / items;
    }

    /// <summary>Loss: the mean over pairs. Perplexity and tokens: of the better answers.</summary>
    public EvaluationResult Evaluate(TokenDocuments documents, int batchTokens, CancellationToken cancellation)
    {
        using IDisposable noGrad = no_grad();
        IReadOnlyList<int> lengths = LengthsOf(documents);
        int[] order = [.. Enumerable.Range(0, lengths.Count).OrderBy(p => lengths[p])];
        (double sum, double chosenSum, long tokens, int right, double margin) = (0, 0, 0, 0, 0);
        foreach (int[] pairs in RowPacking.Pack(order, lengths, batchTokens))
        {
            cancellation.ThrowIfCancellationRequested();
            using DisposeScope scope = NewDisposeScope();
            MicroBatch batch = BatchOf(documents, pairs);
            using PackedBatch packed = batch.ToPacked(model.Device);
            double[] sums = Sums(CausalLMLoss.LogProbabilities(model, model.HiddenStates(packed), batch), batch);
            foreach ((PairLoss loss, int chosen, _) in Losses(batch, sums, options.NeedsReference ? ReferenceSums(packed, batch) : null))
            {
                sum += loss.Value;
                chosenSum -= sums[chosen];
                right += loss.RewardMargin > 0 ? 1 : 0;
                margin += loss.RewardMargin;
                tokens += batch.Parts[chosen].Targets;
            }
        }

        return new EvaluationResult(sum / lengths.Count, Math.Exp(chosenSum / tokens), tokens)
        {
            Preference = new PreferenceMetrics((double)right / lengths.Count, margin / lengths.Count),
        };
    }

    public PreferenceMetrics? TakePreferences()
    {
        PreferenceMetrics? metrics = pairsSeen == 0 ? null : new((double)pairsRight / pairsSeen, margins / pairsSeen);
        (pairsSeen, pairsRight, margins) = (0, 0, 0);
        return metrics;
    }

    public static IReadOnlyList<int> LengthsOf(TokenDocuments documents) =>
        [.. Enumerable.Range(0, documents.Count / 2).Select(p => documents[2 * p].Length + documents[(2 * p) + 1].Length)];

    private static MicroBatch BatchOf(TokenDocuments documents, IEnumerable<int> pairs) =>
        MicroBatch.Create(documents, pairs.SelectMany(p => new[] { 2 * p, (2 * p) + 1 }));

    private static void CheckTargets(TokenDocuments documents, string what)
    {
        for (int d = 0; d < documents.Count; d++)
        {
            if (documents[d].Labels.Span[1..].IndexOfAnyExcept(TokensFile.IgnoredLabel) < 0)
                throw new DiagnosticException("LB0613", $"the {(d % 2 == 0 ? "chosen" : "rejected")} answer of {what} pair {d / 2} has no token that is compared. Look at audit.json; raise template.max_length where answers were cut off.");
        }
    }

    /// <summary>Σ log p over the targets of each document of the batch, by its place.</summary>
    private static double[] Sums(float[] logProbabilities, MicroBatch batch)
    {
        double[] sums = new double[batch.Parts.Count];
        for (int i = 0; i < sums.Length; i++)
        {
            foreach (float value in logProbabilities.AsSpan(batch.Parts[i].FirstTarget, batch.Parts[i].Targets))
                sums[i] += value;
        }

        return sums;
    }

    private double[] ReferenceSums(PackedBatch packed, MicroBatch batch)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        bool wasEnabled = adapter!.IsEnabled;
        adapter.IsEnabled = false;
        try
        {
            return Sums(CausalLMLoss.LogProbabilities(model, model.HiddenStates(packed), batch), batch);
        }
        finally
        {
            adapter.IsEnabled = wasEnabled;
        }
    }

    /// <returns>Of each pair its loss and the places of its two documents in the batch.</returns>
    private (PairLoss Loss, int Chosen, int Rejected)[] Losses(MicroBatch batch, double[] sums, double[]? reference)
    {
        Dictionary<int, int> placeOf = Enumerable.Range(0, batch.Parts.Count).ToDictionary(i => batch.Parts[i].Document);
        (int Chosen, int Rejected)[] pairs = [.. placeOf.Keys.Where(d => d % 2 == 0).Order().Select(d => (placeOf[d], placeOf[d + 1]))];
        double Moved(int place) => sums[place] - (reference?[place] ?? 0);
        double chosenDivergence = Math.Max(0, pairs.Average(p => Moved(p.Chosen)));
        double rejectedDivergence = Math.Max(0, pairs.Average(p => Moved(p.Rejected)));
        return [.. pairs.Select(p => (PreferenceLoss.Of(
            options,
            new PairLogProbabilities(sums[p.Chosen], sums[p.Rejected], reference?[p.Chosen] ?? 0, reference?[p.Rejected] ?? 0, batch.Parts[p.Chosen].Targets, batch.Parts[p.Rejected].Targets),
            chosenDivergence, rejectedDivergence), p.Chosen, p.Rejected))];
    }

    private void Count(PairLoss loss)
    {
        pairsSeen++;
        pairsRight += loss.RewardMargin > 0 ? 1 : 0;
        margins += loss.RewardMargin;
    }
}
