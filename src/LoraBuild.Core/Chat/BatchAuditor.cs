// How full the trainer's batches will be, and whether each of them holds something to learn.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Chat;

internal static class BatchAuditor
{
    /// <param name="train">Finished.</param>
    /// <param name="plan">The trainer's plan of the first epoch.</param>
    public static BatchAudit Audit(Recipe recipe, SplitAuditor train, BatchPlanner plan, IDiagnosticSink sink)
    {
        (int microBatches, int rows, int withoutTargets, int firstWithout) = (0, 0, 0, -1);
        (long tokens, long padded) = (0, 0);
        foreach (IReadOnlyList<int[]> batch in plan(train.Lengths))
        {
            bool hasTarget = false;
            int longest = 0;
            foreach (int document in batch.SelectMany(row => row))
            {
                hasTarget |= train.Targets[document] > 0;
                longest = Math.Max(longest, train.Lengths[document]);
                tokens += train.Lengths[document];
            }

            padded += (long)longest * batch.Count;
            rows += batch.Count;
            if (!hasTarget && withoutTargets++ == 0)
                firstWithout = microBatches;
            microBatches++;
        }

        if (withoutTargets > 0)
        {
            RecipePlace place = recipe.PlaceOf("dataset.sources");
            sink.Report(Diagnostic.Warning("LB0336", string.Create(CultureInfo.InvariantCulture, $"In {withoutTargets} of {microBatches} micro-batches of an epoch every label is masked (the first is number {firstWithout + 1}), so they teach nothing. Remove documents without targets, or raise train.per_device_train_batch_size."), place.File, place.Line, place.Column));
        }

        bool isPacked = recipe.Template.Packing;
        return new BatchAudit(
            isPacked,
            recipe.Train.PerDeviceTrainBatchSize,
            microBatches,
            rows,
            isPacked ? Share(tokens, (long)rows * recipe.Template.MaxLength) : null,
            isPacked ? null : Share(padded - tokens, padded),
            withoutTargets);
    }

    private static double Share(long part, long whole) => whole == 0 ? 0 : Math.Round(part / (double)whole, 4);
}
