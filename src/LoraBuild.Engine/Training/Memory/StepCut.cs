// Cuts a step's micro-batches into the passes that are computed at once.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Training.Memory;

/// <summary>One forward and backward pass.</summary>
/// <param name="Units">Documents or pairs, as the objective counts.</param>
/// <param name="Rows">Where the rows stand in the recipe's micro-batches: random numbers belong to those.</param>
internal sealed record StepPass(MicroBatch Batch, IReadOnlyList<int> Units, IReadOnlyList<BlockRows> Rows);

internal static class StepCut
{
    /// <summary>
    /// The same units with the same random numbers, however they are cut: losses are normalised over the step, and dropout and noise are drawn for the
    /// recipe's micro-batches. Sums in another order differ in the last bits.
    /// </summary>
    /// <param name="microBatches">Units of the step's micro-batches by the plan.</param>
    /// <param name="mostTokens">Tokens of a pass; null: each micro-batch is one.</param>
    /// <param name="isMerging">A pass may take units of several micro-batches.</param>
    public static IReadOnlyList<StepPass> Cut(ITrainingObjective objective, IReadOnlyList<int[]> microBatches, int? mostTokens, bool isMerging)
    {
        MicroBatch[] whole = [.. microBatches.Select(objective.Batch)];
        if (mostTokens is not int limit)
            return [.. whole.Select((batch, m) => new StepPass(batch, microBatches[m], [new BlockRows(m, batch.TokenCount, 0, batch.TokenCount)]))];

        Dictionary<int, BlockRows> rowsOf = [];
        for (int m = 0; m < whole.Length; m++)
        {
            foreach (BatchPart part in whole[m].Parts)
                rowsOf.Add(part.Document, new BlockRows(m, whole[m].TokenCount, part.FirstRow, part.Tokens));
        }

        IEnumerable<int[]> groups = isMerging ? [[.. microBatches.SelectMany(units => units)]] : microBatches;
        return [.. groups.SelectMany(units => RowPacking.Pack(units, objective.UnitLengths, limit)).Select(units =>
        {
            MicroBatch batch = objective.Batch(units);
            return new StepPass(batch, units, Joined(batch.Parts.Select(p => rowsOf[p.Document])));
        })];
    }

    /// <summary>Documents that stand beside each other in both become one piece.</summary>
    private static List<BlockRows> Joined(IEnumerable<BlockRows> rows)
    {
        List<BlockRows> joined = [];
        foreach (BlockRows next in rows)
        {
            if (joined.Count > 0 && joined[^1] is var last && last.Block == next.Block && last.Start + last.Count == next.Start)
                joined[^1] = last with { Count = last.Count + next.Count };
            else
                joined.Add(next);
        }

        return joined;
    }
}
