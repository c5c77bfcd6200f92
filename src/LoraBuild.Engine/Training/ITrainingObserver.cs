// What a run tells while it goes on. The worker turns it into progress lines and events.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Evaluation;

namespace LoraBuild.Engine.Training;

/// <summary>Called on the training thread, in order. Warnings and notes come through <see cref="IDiagnosticSink.Report"/>.</summary>
public interface ITrainingObserver : IDiagnosticSink
{
    void IDiagnosticSink.Report(Diagnostic diagnostic)
    {
    }

    void Started(TrainingStarted started)
    {
    }

    void Stepped(StepMetrics step)
    {
    }

    void Evaluated(EvaluationMetrics evaluation)
    {
    }

    void CheckpointSaved(CheckpointSaved checkpoint)
    {
    }

    /// <summary>A bad step took the run back: what was told of later steps is told again.</summary>
    /// <param name="step">Steps that are still done.</param>
    /// <param name="evaluatedStep">Last step whose evaluation still counts.</param>
    void WentBack(int step, int evaluatedStep)
    {
    }

    void Finished(TrainingResult result)
    {
    }
}

/// <param name="TrainableParameters">Elements that are trained.</param>
/// <param name="AllParameters">Elements of base and adapter together, tied weights once.</param>
/// <param name="TotalSteps">Optimizer steps of the whole run.</param>
/// <param name="FirstStep">Steps that a checkpoint has already done; 0 for a fresh run.</param>
/// <param name="MicroBatchesPerEpoch">Micro-batches of one pass over the data.</param>
/// <param name="TrainTokens">Tokens of the training documents.</param>
/// <param name="TargetTokens">Tokens among them that are targets.</param>
public sealed record TrainingStarted(
    long TrainableParameters,
    long AllParameters,
    int TotalSteps,
    int FirstStep,
    int MicroBatchesPerEpoch,
    int Documents,
    long TrainTokens,
    long TargetTokens)
{
    public double TrainablePercent => 100.0 * TrainableParameters / AllParameters;

    /// <summary>Last step after which a checkpoint's run was evaluated; 0: none.</summary>
    public int EvaluatedStep { get; init; }

    public IReadOnlyList<TrainedParameterGroup> Groups { get; init; } = [];
}

/// <param name="Step">From 1.</param>
/// <param name="Epoch">Passes done, with fraction.</param>
/// <param name="Loss">Sum over the step's target tokens / their number; of preference pairs the mean over them.</param>
/// <param name="GradNorm">Before clipping.</param>
/// <param name="LearningRate">The one that this step used.</param>
/// <param name="Tokens">Real tokens of the step (there is no padding).</param>
/// <param name="TimeLeft">Estimated from the steps of this process.</param>
/// <param name="ShouldLog">True every <see cref="TrainOptions.LoggingSteps"/> steps and on the last one.</param>
public sealed record StepMetrics(
    int Step,
    int TotalSteps,
    double Epoch,
    double Loss,
    double GradNorm,
    double LearningRate,
    long Tokens,
    double TokensPerSecond,
    long PeakMemoryBytes,
    TimeSpan TimeLeft,
    bool ShouldLog)
{
    /// <summary>Over all steps since the last one with <see cref="ShouldLog"/>; <see cref="TokensPerSecond"/> is of this step alone.</summary>
    public double MeanTokensPerSecond { get; init; }

    /// <summary>Null in language modelling.</summary>
    public PreferenceMetrics? Preference { get; init; }

    /// <summary>Of each trained tensor, before clipping; null except on the steps that <see cref="TrainOptions.GradientHistograms"/> chooses.</summary>
    public IReadOnlyList<double>? GradientNorms { get; init; }
}

/// <param name="Accuracy">Share of the step's pairs whose better answer the model prefers, in the loss's own measure.</param>
/// <param name="Margin">Mean of how much more it is preferred.</param>
public sealed record PreferenceMetrics(double Accuracy, double Margin);

/// <param name="Step">0: before the first step (<see cref="TrainOptions.EvalOnStart"/>), which stands in no metrics and counts for nothing.</param>
/// <param name="IsBest">The best so far by the run's metric.</param>
public sealed record EvaluationMetrics(int Step, int TotalSteps, double Loss, double Perplexity, long Tokens, bool IsBest)
{
    /// <summary>Null in language modelling.</summary>
    public PreferenceMetrics? Preference { get; init; }
}

public sealed record CheckpointSaved(int Step, string Directory);

public enum TrainingOutcome
{
    /// <summary>All steps are done.</summary>
    Completed,

    /// <summary>The evaluation loss stopped falling.</summary>
    StoppedEarly,

    /// <summary>Cancelled; the state stands in a checkpoint and the same call goes on from there.</summary>
    Cancelled,
}

/// <param name="Step">Last optimizer step that was done.</param>
/// <param name="Loss">Training loss of the last step of this process; NaN when it had none to do.</param>
/// <param name="BestStep">Step with the lowest evaluation loss, or null without evaluation.</param>
/// <param name="OutputDirectory">Where the adapter (or the model) was written; null when cancelled.</param>
public sealed record TrainingResult(TrainingOutcome Outcome, int Step, int TotalSteps, double Loss, int? BestStep, double? BestEvalLoss, string? OutputDirectory)
{
    /// <summary>Before the first step, where <see cref="TrainOptions.EvalOnStart"/> asked for it.</summary>
    public EvaluationResult? StartEvaluation { get; init; }
}
