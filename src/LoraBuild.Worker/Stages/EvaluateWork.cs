// EvaluatePerplexity: loss and perplexity on held-out tokens before and after training → evaluations/trained.json; answers → samples.md.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;

namespace LoraBuild.Worker.Stages;

internal static class EvaluateWork
{
    public static void Run(StageWork work, Compute compute)
    {
        Recipe recipe = work.Recipe;
        TokenDocuments documents = StageTokens.Read(work.Layout, "eval").BetterAnswers();
        if (documents.Count == 0)
            throw NothingHeldOut(recipe);
        SampleAnswers? samples = SampleAnswers.Create(work, SampleQuestions.Of(recipe, work.Layout), recipe.Evaluate.MaxNewTokens);
        string baseDirectory = work.BaseModel();
        using BaseFilesWatch? watch = recipe.Base.Weights == "random" ? null : BaseFilesWatch.Of(baseDirectory, work.State.Inputs);
        using CausalLM model = CausalLM.Load(baseDirectory, BaseModelOptions.Of(work, compute));
        EvaluationResult before = Measure(model, "base");
        IReadOnlyList<string>? answersBefore = samples?.Answer(model, work.Cancellation);

        EvaluationResult after;
        IReadOnlyList<string>? answersAfter;
        if (recipe.Adapter.Type == "none")
        {
            using CausalLM trained = CausalLM.Load(Existing(work, work.Layout.Model), compute.LoadOptions);
            after = Measure(trained, "trained");
            answersAfter = samples?.Answer(trained, work.Cancellation);
        }
        else
        {
            using LoraAdapter adapter = LoraAdapter.Load(model, Existing(work, work.Layout.Adapter), isTrainable: false);
            after = Measure(model, "adapter");
            answersAfter = samples?.Answer(model, work.Cancellation);
        }

        watch?.Check();
        EvaluationReport.WriteTrained(work.At(work.Layout.Evaluation), before, after);
        SamplesReport.Write(work.At(work.Layout.Samples), recipe.Name, samples is null ? [] : samples.Report(answersBefore!, answersAfter!));

        EvaluationResult Measure(CausalLM measured, string what)
        {
            EvaluationResult result = PerplexityEvaluator.Evaluate(measured, documents, recipe.Evaluate.BatchTokens, work.Cancellation);
            work.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"evaluate: {what}: loss {result.Loss:F4}, perplexity {result.Perplexity:F3} on {result.Tokens:N0} tokens"));
            return result;
        }
    }

    private static string Existing(StageWork work, string directory) => Directory.Exists(directory)
        ? directory
        : throw new DiagnosticException("LB0831", $"{directory} does not exist. Run the stage before: lorabuild train --recipe … --output {work.Layout.Root}");

    private static DiagnosticException NothingHeldOut(Recipe recipe)
    {
        RecipePlace place = recipe.PlaceOf("dataset.split.eval");
        return new DiagnosticException(
            "LB0833",
            "there is no held-out document to measure on. Set dataset.split.eval above 0 (0.1 is common), or name dataset.split.eval_sources; more documents help where the fraction of a small set is empty.",
            place.File, place.Line, place.Column);
    }
}
