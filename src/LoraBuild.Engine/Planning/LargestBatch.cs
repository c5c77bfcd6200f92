// The batch of a run that needs most memory, found in the plan of its batches.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Planning;

public static class LargestBatch
{
    /// <summary>Of the micro-batches of all steps.</summary>
    /// <param name="train">Null while the tokens are not made: then every document, or packed row, has max_length tokens.</param>
    public static BatchShape OfTraining(DecoderSpec spec, TokenDocuments? train, TrainOptions options)
    {
        if (train is null)
            return BatchShape.Of(options.BatchSize, options.MaxLength);
        BatchPlan plan = BatchPlan.Create(UnitLengths(train), options);
        IEnumerable<int[]> batches = Enumerable.Range(0, plan.TotalSteps).SelectMany(plan.MicroBatchesOf);
        return Largest(spec, train, batches);
    }

    /// <summary>Of an evaluation; null without documents.</summary>
    public static BatchShape? OfEvaluation(DecoderSpec spec, TokenDocuments? evaluation, int batchTokens)
    {
        if (evaluation is null || evaluation.Count == 0)
            return null;
        IReadOnlyList<int> lengths = UnitLengths(evaluation);
        return Largest(spec, evaluation, RowPacking.Pack([.. Enumerable.Range(0, lengths.Count).OrderBy(i => lengths[i])], lengths, batchTokens));
    }

    private static BatchShape Largest(DecoderSpec spec, TokenDocuments documents, IEnumerable<int[]> batches)
    {
        BatchShape largest = new(1, 1, 1);
        double most = 0;
        foreach (int[] units in batches)
        {
            int[] members = documents.IsPairs ? [.. units.SelectMany(u => new[] { 2 * u, (2 * u) + 1 })] : units;
            BatchShape shape = BatchShape.Of([.. members.Select(d => documents[d].Length)]);
            double size = SizeOf(spec, shape);
            if (size > most)
                (most, largest) = (size, shape with { Targets = members.Sum(d => TargetsOf(documents[d])) });
        }

        return largest;
    }

    // Only for comparing batches: what grows with tokens, and what with their pairs.
    private static double SizeOf(DecoderSpec spec, BatchShape shape) =>
        (((5.0 * spec.HiddenSize) + (3.0 * spec.IntermediateSize)) * shape.Tokens) + ((double)spec.HeadCount * shape.Pairs);

    private static long TargetsOf(TokenDocument document)
    {
        long count = 0;
        foreach (int label in document.Labels.Span[Math.Min(1, document.Labels.Length)..])
            count += label == LabelShift.Ignored ? 0 : 1;
        return count;
    }

    private static IReadOnlyList<int> UnitLengths(TokenDocuments documents) =>
        documents.IsPairs ? Training.Preference.PreferenceObjective.LengthsOf(documents) : TokenObjective.LengthsOf(documents);
}
