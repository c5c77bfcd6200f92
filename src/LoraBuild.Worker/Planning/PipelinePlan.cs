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
/// <param name="Device">Whose memory it is.</param>
/// <param name="Memory">What the recipe needs as it is, and with what it could change.</param>
/// <param name="MemoryProblem">That training would be refused here for want of memory; null: it would not, or there is nothing to train.</param>
internal sealed record TrainingPlan(long TrainableParameters, long AllParameters, int? Steps, string Device, IReadOnlyList<MemoryOption> Memory, Diagnostic? MemoryProblem);

/// <param name="Training">Null where the base model is nowhere.</param>
/// <param name="ModelProblem">Why the base model cannot be trained, or not exported after it.</param>
internal sealed record PipelinePlan(IReadOnlyList<StagePlan> Stages, TrainingPlan? Training, Diagnostic? ModelProblem)
{
    /// <summary>Why the pipeline cannot be run as it stands.</summary>
    public IEnumerable<Diagnostic> Problems => new[] { ModelProblem, Training?.MemoryProblem }.OfType<Diagnostic>();

    /// <param name="compute">What the plan is for.</param>
    public static PipelinePlan Of(Recipe recipe, StageLayout layout, IReadOnlyList<string> modelCaches, Compute compute)
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
            return new PipelinePlan(stages, TrainingOf(recipe, layout, directory, compute, willTrain: stale.Contains(Stage.Train)), ProblemOf(recipe, directory));
        }
        catch (DiagnosticException e)
        {
            return new PipelinePlan(stages, null, e.Diagnostics[0]);
        }
    }

    private static Diagnostic? ProblemOf(Recipe recipe, string modelDirectory)
    {
        try
        {
            ExportWork.CheckPossible(recipe, modelDirectory);
            MergeWork.CheckPossible(recipe, modelDirectory);
            return null;
        }
        catch (DiagnosticException e)
        {
            return e.Diagnostics[0];
        }
    }

    private static TrainingPlan TrainingOf(Recipe recipe, StageLayout layout, string modelDirectory, Compute compute, bool willTrain)
    {
        ModelConfig config = ModelConfig.Load(modelDirectory);
        bool isFull = recipe.Adapter.Type == "none";
        ParameterCounts counts = isFull ? ParameterCounts.OfFullTraining(config) : LoraOptionsBuilder.AtKeys(recipe, lora => ParameterCounts.OfLora(config, lora));
        TokenDocuments? tokens = StageTokens.ReadOptional(layout, "train");
        TrainOptions options = TrainOptionsBuilder.From(recipe, "");
        int? steps = tokens is null ? null : Trainer.PlanOf(tokens, options).TotalSteps;
        MachineMemory machine = MachineMemory.OfThisMachine;
        TokenDocuments? evaluation = StageTokens.ReadOptional(layout, "eval");
        MemoryFacts facts = compute.Facts(config, modelDirectory, tokens, evaluation, machine.ResidentBytes) with { HasSamples = evaluation is not null && SampleQuestions.AreAsked(recipe, layout) };
        TrainingMemory memory = new(facts);
        IReadOnlyList<MemoryOption> choices = MemoryOptions.Of(recipe, memory);
        Diagnostic? problem = willTrain ? MemoryCheck.Finding(recipe, memory, choices[0].Plan, compute.Available(machine)) : null;
        return new TrainingPlan(counts.Trainable, counts.All, steps, compute.Device.ToString(), choices, problem);
    }
}
