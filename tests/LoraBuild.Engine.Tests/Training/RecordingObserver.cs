// Keeps what a run told; can act in the middle of it.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

internal sealed class RecordingObserver : ITrainingObserver
{
    public TrainingStarted? Start { get; private set; }

    public List<StepMetrics> Steps { get; } = [];

    public List<EvaluationMetrics> Evaluations { get; } = [];

    public List<CheckpointSaved> Checkpoints { get; } = [];

    public List<(int Step, int EvaluatedStep)> Returns { get; } = [];

    public List<Diagnostic> Messages { get; } = [];

    public TrainingResult? Result { get; private set; }

    /// <summary>Called after each step.</summary>
    public Action<StepMetrics>? OnStep { get; init; }

    /// <summary>Called after each evaluation.</summary>
    public Action<EvaluationMetrics>? OnEvaluation { get; init; }

    /// <summary>Called when the run went back.</summary>
    public Action? OnReturn { get; init; }

    public void Started(TrainingStarted started) => Start = started;

    public void Stepped(StepMetrics step)
    {
        Steps.Add(step);
        OnStep?.Invoke(step);
    }

    public void Evaluated(EvaluationMetrics evaluation)
    {
        Evaluations.Add(evaluation);
        OnEvaluation?.Invoke(evaluation);
    }

    public void CheckpointSaved(CheckpointSaved checkpoint) => Checkpoints.Add(checkpoint);

    public void WentBack(int step, int evaluatedStep)
    {
        Returns.Add((step, evaluatedStep));
        OnReturn?.Invoke();
    }

    public void Finished(TrainingResult result) => Result = result;

    public void Report(Diagnostic diagnostic) => Messages.Add(diagnostic);
}
