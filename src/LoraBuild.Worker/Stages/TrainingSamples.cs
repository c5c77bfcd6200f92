// Answers to a few fixed questions at each evaluation: what the model says while it learns.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Stages;

/// <param name="Number">From 1, the same question in every evaluation.</param>
internal sealed record TrainingSample(int Step, int Number, string Question, string Answer);

/// <summary>An observer that also hears what the model answers.</summary>
internal interface ISampleObserver
{
    void Sampled(IReadOnlyList<TrainingSample> samples);
}

/// <summary>Greedy answers need no generator, and without gradients nothing is dropped or noised: the run does not notice that it was asked.</summary>
internal sealed class TrainingSamples(CausalLM model, SampleAnswers answers, ISampleObserver hearers, IReporter reporter, CancellationToken cancellation) : ITrainingObserver
{
    private bool isPossible = true;

    /// <summary>Training does not need answers: what stands against them is told once, and they are no longer asked for.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; the trainer takes it as its own cancellation.</exception>
    public void Evaluated(EvaluationMetrics evaluation)
    {
        if (!isPossible)
            return;
        try
        {
            IReadOnlyList<string> said = answers.Answer(model, cancellation);
            hearers.Sampled([.. said.Select((answer, i) => new TrainingSample(evaluation.Step, i + 1, answers.Questions[i].Text, answer))]);
        }
        catch (DiagnosticException e)
        {
            isPossible = false;
            reporter.Message($"train: the sample questions are not asked: {e.Message}");
        }
    }
}
