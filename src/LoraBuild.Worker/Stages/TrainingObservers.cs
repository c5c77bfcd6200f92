// Who hears of a training run: the console, samples.jsonl, TensorBoard, and the one that asks the questions.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Worker.Stages;

internal sealed class TrainingObservers : IDisposable
{
    private static readonly Stage[] StagesOfRun = [Stage.Prepare, Stage.Template, Stage.Train];
    private readonly List<IDisposable> owned = [];
    private readonly ObserverList all = new();

    private TrainingObservers()
    {
    }

    public ITrainingObserver All => all;

    public static TrainingObservers Create(StageWork work, CausalLM model, TrainOptions options, bool hasEvaluation, ITrainingObserver? watch)
    {
        TrainingObservers created = new();
        if (watch is not null)
            created.all.Add(watch);
        created.all.Add(new TrainingProgress(work.Reporter, result => TrainingSummary.Of(result, work.Layout.Metrics, options.LoadBestModelAtEnd)));
        if (work.Recipe.Train.ReportTo == "tensorboard")
            created.Own(new TensorBoardLog(work.Layout.TensorBoard, RecipeText(work.Recipe), () => (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalSeconds));
        if (hasEvaluation && AnswersOf(work) is { } answers)
        {
            created.Own(new SamplesLog(work.Layout.TrainingSamples));
            created.all.Add(new TrainingSamples(model, answers, created.all, work.Reporter, work.Cancellation));
        }

        return created;
    }

    public void Dispose() => owned.ForEach(o => o.Dispose());

    private void Own<T>(T observer)
        where T : ITrainingObserver, IDisposable
    {
        all.Add(observer);
        owned.Add(observer);
    }

    /// <summary>Null where none are wanted or possible. Training does not need them, so what stands against them is told and no more.</summary>
    private static SampleAnswers? AnswersOf(StageWork work)
    {
        TrainSection train = work.Recipe.Train;
        try
        {
            return SampleAnswers.Create(work, [.. SampleQuestions.Of(work.Recipe, work.Layout).Take(train.SamplePrompts)], train.SampleMaxNewTokens);
        }
        catch (DiagnosticException e)
        {
            work.Reporter.Message($"train: the sample questions are not asked: {e.Message}");
            return null;
        }
    }

    /// <summary>Every key that decides about the run, once.</summary>
    private static string RecipeText(Recipe recipe) => string.Join('\n', StagesOfRun
        .SelectMany(stage => RecipeKeys.CanonicalText(recipe, stage).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        .DistinctBy(line => line.Split(':', 2)[0], StringComparer.Ordinal)
        .Order(StringComparer.Ordinal));
}
