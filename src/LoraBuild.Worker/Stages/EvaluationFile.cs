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
        if (!isUpToDate(Stage.Evaluate) || !File.Exists(layout.Evaluation))
            return;
        string[] parts =
        [
            layout.Evaluation,
            .. isUpToDate(Stage.Merge) ? [layout.MergedEvaluation] : Array.Empty<string>(),
            .. isUpToDate(Stage.Export) ? [layout.GgufEvaluation] : Array.Empty<string>(),
        ];
        EvaluationReport.Compose(layout.EvaluationReport, parts.Where(File.Exists));
    }
}
