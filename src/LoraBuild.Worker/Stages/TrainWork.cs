// TrainAdapter: tokens/ and the base model → adapter/, or model/ after full fine-tuning.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.IO;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Planning;
using LoraBuild.Engine.Training;
using LoraBuild.Worker.Planning;

namespace LoraBuild.Worker.Stages;

internal static class TrainWork
{
    /// <summary>The trainer replaces its result's directory itself, so that nothing of it passes through the work directory.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; a checkpoint was written.</exception>
    public static void Run(StageWork work, Compute compute, bool isResuming)
    {
        Recipe recipe = work.Recipe;
        StageLayout layout = work.Layout;
        string modelDirectory = work.BaseModel();
        ExportWork.CheckPossible(recipe, modelDirectory);
        MergeWork.CheckPossible(recipe, modelDirectory);
        bool isFull = recipe.Adapter.Type == "none";
        TokenDocuments train = StageTokens.Read(layout, "train");
        TokenDocuments? evaluation = StageTokens.ReadOptional(layout, "eval");

        // What the other kind of training left would look like this one's result.
        string other = isFull ? layout.Adapter : layout.Model;
        if (Directory.Exists(other))
            Directory.Delete(other, recursive: true);

        MachineMemory machine = MachineMemory.OfThisMachine;
        MemoryFacts facts = compute.Facts(ModelConfig.Load(modelDirectory), modelDirectory, train, evaluation, machine.ResidentBytes) with { HasSamples = evaluation is not null && SampleQuestions.AreAsked(recipe, layout) };
        MemoryPlan plan = LoraOptionsBuilder.AtKeys(recipe, _ => MemoryCheck.Require(recipe, new TrainingMemory(facts), compute.Available(machine)));

        using BaseFilesWatch? watch = isFull || recipe.Base.Weights == "random" ? null : BaseFilesWatch.Of(modelDirectory, work.State.Inputs);
        using CausalLM model = CausalLM.Load(modelDirectory, BaseModelOptions.Of(work, compute) with { RequiresGrad = isFull });
        CheckVocabulary(train, model);
        using LoraAdapter? adapter = isFull ? null : CreateAdapter(recipe, model);
        string identity = $"{TrainIdentity.Of(recipe, work.State.Inputs)} {model.Dtype} {compute.Device}";
        TrainOptions options = TrainOptionsBuilder.From(recipe, identity) with { Resume = isResuming, Machine = MemoryLimits.Text(compute.Device) };
        Lint(recipe, model, adapter, train, evaluation, options, work.Reporter);
        using TrainingObservers observers = TrainingObservers.Create(work, model, options, hasEvaluation: evaluation is not null, watch);
        TrainingResult result = Trainer.Run(model, adapter, train, evaluation, options, layout.Root, observers.All, work.Cancellation);
        bool hasTrained = !double.IsNaN(result.Loss); // not where a run went on after its last step
        if (hasTrained)
            MemoryCheck.Compare(plan, compute.Device, work.Reporter);
        if (result.Outcome == TrainingOutcome.Cancelled)
            throw new OperationCanceledException(work.Cancellation);
        if (isFull)
            CompleteModel(modelDirectory, layout.Model);
        CardWork.WriteTrained(work);
    }

    private static void Lint(Recipe recipe, CausalLM model, LoraAdapter? adapter, TokenDocuments train, TokenDocuments? evaluation, TrainOptions options, IDiagnosticSink sink)
    {
        long parameters = model.ParameterCount;
        BatchPlan plan = Trainer.PlanOf(train, options);
        foreach (Diagnostic finding in TrainingLints.Check(recipe, new LintFacts(parameters, plan.RowCount, plan.TotalSteps, train, evaluation) { AdaptedModules = adapter?.Modules.Select(m => m.Target.Path).ToArray() }))
            sink.Report(finding);
    }

    private static LoraAdapter CreateAdapter(Recipe recipe, CausalLM model) => recipe.Adapter.InitFrom is { } directory
        ? LoraAdapter.Load(model, directory, isTrainable: true)
        : LoraOptionsBuilder.AtKeys(recipe, options => LoraAdapter.Attach(model, options));

    private static void CheckVocabulary(TokenDocuments documents, CausalLM model)
    {
        int largest = documents.InputIds.Length == 0 ? 0 : documents.InputIds.Max();
        if (largest >= model.VocabSize)
            throw new DiagnosticException("LB0827", $"the tokens hold the id {largest}, the model has only {model.VocabSize} tokens: tokenizer and model do not belong together. Check base.model and base.tokenizer.", model.ModelDirectory);
    }

    /// <summary>Puts configuration and tokenizer beside the trained weights: model/ is a model like any other.</summary>
    private static void CompleteModel(string baseDirectory, string modelDirectory)
    {
        foreach (string file in Directory.EnumerateFiles(baseDirectory).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(file);
            if (name.EndsWith(".json", StringComparison.Ordinal) && !name.EndsWith(".index.json", StringComparison.Ordinal)
                || name.EndsWith(".jinja", StringComparison.Ordinal))
                AtomicFile.WriteAllBytes(Path.Combine(modelDirectory, name), File.ReadAllBytes(file));
        }
    }
}
