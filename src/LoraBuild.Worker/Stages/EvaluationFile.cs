// evaluation.json: what the stages measured, put together from the file that each of them owns.
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Evaluation;

namespace LoraBuild.Worker.Stages;

/// <summary>
/// Merging and exporting add to what evaluating found. Were evaluation.json an output of evaluating, their additions would make that stage stale; so each stage
/// owns a file under evaluations/, and this one is made of them whenever fingerprints are written. It can be deleted: the next build makes it again.
/// </summary>
internal static class EvaluationFile
{
    /// <param name="isUpToDate">A stage whose figures are of what stands there now; those of the others are left out.</param>
    public static void Compose(StageLayout layout, Func<Stage, bool> isUpToDate)
    {
        // A file that is not there needs no look at what its stage was made from, which may mean hashing a model.
        List<string> parts = [.. new[] { (Stage.Evaluate, layout.Evaluation), (Stage.Merge, layout.MergedEvaluation), (Stage.Export, layout.GgufEvaluation) }
            .Where(part => File.Exists(part.Item2) && isUpToDate(part.Item1))
            .Select(part => part.Item2)];
        if (parts.Contains(layout.Evaluation))
            EvaluationReport.Compose(layout.EvaluationReport, parts);
    }
}
