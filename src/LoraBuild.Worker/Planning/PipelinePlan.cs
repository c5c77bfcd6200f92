// What a recipe would do and need, without doing it.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Models;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Planning;

/// <param name="IsUpToDate">Nothing to do.</param>
/// <param name="Reasons">Why there is.</param>
internal sealed record StagePlan(string Stage, bool IsUpToDate, IReadOnlyList<string> Reasons);

/// <param name="Steps">Optimizer steps; null while the tokens are not made.</param>
/// <param name="Memory">Bytes by part.</param>
internal sealed record TrainingPlan(long TrainableParameters, long AllParameters, int? Steps, IReadOnlyList<(string Part, long Bytes)> Memory)
{
    public long PeakBytes => Memory.Sum(m => m.Bytes);
}

/// <param name="Training">Null where the base model is nowhere.</param>
/// <param name="ModelProblem">Why the base model cannot be trained, or not exported after it.</param>
internal sealed record PipelinePlan(IReadOnlyList<StagePlan> Stages, TrainingPlan? Training, Diagnostic? ModelProblem)
{
    public static PipelinePlan Of(Recipe recipe, StageLayout layout, IReadOnlyList<string> modelCaches)
    {
        List<StagePlan> stages = [];
        PipelineState pipeline = new(recipe, layout, modelCaches);
        HashSet<Stage> stale = [];
        foreach (Stage stage in StageLayout.Order)
        {
            StageState state = pipeline.Of(stage);
            List<string> reasons = [.. state.Reasons()];
            reasons.AddRange(StageLayout.PredecessorsOf(stage).Where(stale.Contains).Select(before => $"{StageLayout.VerbOf(before)} runs first"));
            if (reasons.Count > 0)
                stale.Add(stage);
            stages.Add(new StagePlan(StageLayout.VerbOf(stage), reasons.Count == 0, reasons));
        }

        try
        {
            string directory = BaseModelLocator.Locate(recipe.Base.Model, modelCaches, recipe.PlaceOf("base.model"), StageInputs.BaseContent(recipe)).Directory;
            return new PipelinePlan(stages, TrainingOf(recipe, layout, ModelConfig.Load(directory)), ExportProblem(recipe, directory));
        }
        catch (DiagnosticException e)
        {
            return new PipelinePlan(stages, null, e.Diagnostics[0]);
        }
    }

    private static Diagnostic? ExportProblem(Recipe recipe, string modelDirectory)
    {
        try
        {
            ExportWork.CheckPossible(recipe, modelDirectory);
            return null;
        }
        catch (DiagnosticException e)
        {
            return e.Diagnostics[0];
        }
    }

    private static TrainingPlan TrainingOf(Recipe recipe, StageLayout layout, ModelConfig config)
    {
        bool isFull = recipe.Adapter.Type == "none";
        ParameterCounts counts = isFull ? ParameterCounts.OfFullTraining(config) : ParameterCounts.OfLora(config, LoraOptionsBuilder.From(recipe));
        TokenDocuments? tokens = StageTokens.ReadOptional(layout, "train");
        TrainOptions options = TrainOptionsBuilder.From(recipe, "");
        int? steps = tokens is null ? null : BatchPlan.Create([.. Enumerable.Range(0, tokens.Count).Select(i => tokens[i].Length)], options).TotalSteps;
        return new TrainingPlan(counts.Trainable, counts.All, steps, MemoryEstimate.Of(recipe, config, counts, isFull));
    }
}
