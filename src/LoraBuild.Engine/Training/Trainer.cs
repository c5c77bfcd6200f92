// A training run from the first step, or the newest checkpoint, to the written adapter.
using System.Globalization;
using System.Text.Json;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using LoraBuild.Engine.Training.Memory;
using LoraBuild.Engine.Training.Optimizers;
using LoraBuild.Engine.Training.Preference;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

/// <summary>
/// Gradient descent with the semantics of transformers' Trainer and PEFT. The result is a pure function of model, data and options: a run that was
/// killed anywhere and started again ends with the same bytes as one that was not (same machine, same number of threads).
/// </summary>
public sealed class Trainer : IDisposable
{
    private const string PagedStateFile = "optimizer-state.paged";

    private readonly CausalLM model;
    private readonly LoraAdapter? adapter;
    private readonly TokenDocuments train;
    private readonly TokenDocuments? evaluation;
    private readonly TrainOptions options;
    private readonly string outputDirectory;
    private readonly ITrainingObserver observer;
    private readonly IReadOnlyList<(string Name, Tensor Value)> parameters;
    private readonly ITrainingObjective objective;
    private readonly BatchPlan plan;
    private readonly LearningRateSchedule schedule;
    private readonly StepInterval evaluationInterval;
    private readonly StepInterval saveInterval;
    private readonly IOptimizer optimizer;
    private readonly CheckpointFiles checkpoints;
    private readonly NeftuneNoise? noise;
    private readonly FittedSteps steps;
    private readonly TrainingGuard guard;
    private readonly Recovery recovery;
    private readonly string identity;
    private TrainingState state;
    private TrainingState? savedState;
    private double lastLoss = double.NaN;

    private Trainer(CausalLM model, LoraAdapter? adapter, TokenDocuments train, TokenDocuments? evaluation, TrainOptions options, string outputDirectory, ITrainingObserver observer, Func<ITrainingObjective, ITrainingObjective> limit)
    {
        this.model = model;
        this.adapter = adapter;
        this.train = train;
        this.evaluation = evaluation;
        this.options = options;
        this.outputDirectory = outputDirectory;
        this.observer = observer;
        parameters = model.TrainableParameters();
        objective = limit(train.IsPairs ? new PreferenceObjective(model, adapter, train, evaluation, options.Preference) : new TokenObjective(model, train, options.LabelSmoothing));
        plan = BatchPlan.Create(objective.UnitLengths, options);
        schedule = LearningRateSchedule.Create(options, plan.TotalSteps);
        evaluationInterval = StepInterval.Create(options.EvalSteps, plan.TotalSteps);
        saveInterval = StepInterval.Create(options.SaveSteps, plan.TotalSteps);
        string pagingPath = Path.Combine(outputDirectory, PagedStateFile);
        PagingFile.DeleteStale(pagingPath);
        optimizer = OptimizerFactory.Create(options, parameters, pagingPath);
        model.InputNoise = noise = options.NeftuneNoiseAlpha is double alpha ? new NeftuneNoise(alpha) : null;
        checkpoints = new CheckpointFiles(outputDirectory, adapter, parameters, optimizer);
        identity = RunIdentity.Compute(options, train, evaluation, parameters.Select(p => $"{p.Name} {p.Value.dtype} {TensorShapes.Text(p.Value.shape)}"));
        steps = new FittedSteps(model, adapter, noise, objective, optimizer, options, outputDirectory, identity, observer);
        state = InitialState();
        guard = new TrainingGuard(options.Guard);
        recovery = new Recovery(options.Guard, parameters, optimizer, checkpoints, observer);
    }

    private bool HasStoppedEarly => options.EarlyStoppingPatience is { } patience && state.EvaluationsWithoutImprovement >= patience;

    private bool IsCheckpointDue => saveInterval.IsDue(state.Step) || HasStoppedEarly || (options.LoadBestModelAtEnd && state.BestStep == state.Step)
        || (options.KeepEpochCheckpoints && plan.EndsEpoch(state.Step));

    /// <summary>Trains what <see cref="CausalLM.TrainableParameters"/> lists and writes adapter/ (or model/ after full fine-tuning), checkpoints/ and metrics.jsonl.</summary>
    /// <param name="adapter">The adapter that is trained; null: full fine-tuning.</param>
    /// <param name="evaluation">Held-out documents, or null.</param>
    /// <param name="cancellation">Leads to a checkpoint and <see cref="TrainingOutcome.Cancelled"/>, within one micro-batch.</param>
    /// <exception cref="DiagnosticException">LB0601, LB0602, LB0604: the documents cannot be trained on. LB0603: loss or gradient is not finite. LB0606: there is no step to do. LB0607: nothing is trainable. LB0609: early stopping without evaluation data. LB0652: there is no way to fit it into memory.</exception>
    public static TrainingResult Run(
        CausalLM model,
        LoraAdapter? adapter,
        TokenDocuments train,
        TokenDocuments? evaluation,
        TrainOptions options,
        string outputDirectory,
        ITrainingObserver observer,
        CancellationToken cancellation = default) =>
        Run(model, adapter, train, evaluation, options, outputDirectory, observer, objective => objective, cancellation);

    /// <param name="limit">Puts an objective around the run's own, which memory limits at a chosen place.</param>
    internal static TrainingResult Run(
        CausalLM model,
        LoraAdapter? adapter,
        TokenDocuments train,
        TokenDocuments? evaluation,
        TrainOptions options,
        string outputDirectory,
        ITrainingObserver observer,
        Func<ITrainingObjective, ITrainingObjective> limit,
        CancellationToken cancellation = default)
    {
        TrainingDataSummary summary = TrainingData.Check(train, "training", model.VocabSize);
        if (evaluation is not null)
            _ = TrainingData.Check(evaluation, "evaluation", model.VocabSize);
        else if (options.EarlyStoppingPatience is not null)
            throw new DiagnosticException("LB0609", "train.early_stopping_patience is set, but there is no evaluation data to judge by. Set dataset.split.eval above 0, or remove the key.");
        if (options.MetricForBestModel is BestMetric.EvalAccuracies or BestMetric.EvalMargins && !train.IsPairs)
            throw new DiagnosticException("LB0617", "train.metric_for_best_model asks for a figure of preference pairs, and the documents are none. Use eval_loss.");
        if (model.TrainableParameters().Count == 0)
            throw new DiagnosticException("LB0607", "no parameter is trainable: attach an adapter, or set adapter.type: none for full fine-tuning.");

        using Trainer trainer = new(model, adapter, train, evaluation, options, Path.GetFullPath(outputDirectory), observer, limit);
        return trainer.Run(summary, cancellation);
    }

    /// <summary>What each step of a run would see.</summary>
    public static BatchPlan PlanOf(TokenDocuments train, TrainOptions options) =>
        BatchPlan.Create(train.IsPairs ? PreferenceObjective.LengthsOf(train) : TokenObjective.LengthsOf(train), options);

    public void Dispose()
    {
        optimizer.Dispose();
        model.InputNoise = null;
        noise?.Dispose();
        steps.Dispose();
        recovery.Dispose();
    }

    private TrainingResult Run(TrainingDataSummary summary, CancellationToken cancellation)
    {
        if (plan.TotalSteps < 1)
            throw new DiagnosticException("LB0606", $"train.num_train_epochs {options.NumTrainEpochs} of {plan.StepsPerEpoch} optimizer steps gives no step. Raise it, or set train.max_steps.");
        if (options.Guard.OnNan == OnNan.Rollback && adapter is not null)
            recovery.HoldStart(); // also of a run that goes on: it may have to go back as far as the one that was killed
        Resume();
        steps.Begin(state.Step > 0 ? state : null, plan);
        observer.Started(Describe(summary));
        using MetricsLog metrics = MetricsLog.Open(Path.Combine(outputDirectory, "metrics.jsonl"), state.Step, state.EvaluatedStep);
        if (!EvaluateStart(cancellation))
            return Cancel(metrics);
        ThroughputMeter meter = new(TimeProvider.System); // for people; decides nothing
        while (true)
        {
            if (!FinishStep(metrics, cancellation))
                return Cancel(metrics);
            if (state.Step >= plan.TotalSteps || HasStoppedEarly)
                return Finish();
            if (!RunStep(metrics, meter, cancellation))
                return Cancel(metrics);
        }
    }

    private void Resume()
    {
        if (!options.Resume)
        {
            checkpoints.Store.Clear();
            return;
        }

        checkpoints.Store.NameFinished();
        IReadOnlyList<TrainingState> found = checkpoints.Store.All();
        List<TrainingState> own = [.. found.Where(s => s.Identity == state.Identity)];
        if (own.FindLast(s => s.Step <= plan.TotalSteps && s.Position == plan.PositionOf(s.Step) && BeganLikeThis(s)) is { } newest)
        {
            checkpoints.Load(newest.Step);
            savedState = newest;
            state = newest with { TotalSteps = plan.TotalSteps };
            Prune(); // the run before may have been killed while it did
            string longer = newest.TotalSteps == plan.TotalSteps ? "" : $" The run before had {newest.TotalSteps} steps; so far its rates were those of this one.";
            observer.Report(Diagnostic.Info("LB0610", $"training goes on after step {newest.Step} of {plan.TotalSteps} (checkpoints/step-{newest.Step}).{longer}"));
        }
        else if (own.Count > 0)
        {
            checkpoints.Store.Clear();
            string reason = own[0].Step > plan.TotalSteps
                ? $"the oldest one stands after step {own[0].Step}; training starts over. A shorter run goes on from a checkpoint within it (train.save_total_limit, train.keep_epoch_checkpoints)."
                : $"the rates of lr_scheduler_type {JsonNamingPolicy.SnakeCaseLower.ConvertName(options.Schedule.ToString())} depend on that number; training starts over. constant, constant_with_warmup and inverse_sqrt with warmup_steps can be made longer without.";
            observer.Report(Diagnostic.Info("LB0614", $"the checkpoints here are of a run of {own[^1].TotalSteps} steps, this one has {plan.TotalSteps}, and {reason}"));
        }
        else if (found.Count > 0)
        {
            observer.Report(Diagnostic.Info("LB0611", $"the {found.Count} checkpoints here belong to a run with other data or settings; training starts over and replaces them."));
        }
    }

    private bool BeganLikeThis(TrainingState checkpoint) =>
        checkpoint.TotalSteps == plan.TotalSteps || LearningRateSchedule.Create(options, checkpoint.TotalSteps).BeginsLike(schedule, checkpoint.Step);

    private TrainingStarted Describe(TrainingDataSummary summary)
    {
        long trainable = parameters.Sum(p => p.Value.NumberOfElements);
        long all = model.ParameterCount + (model.IsFullyTrained ? 0 : trainable);
        return new TrainingStarted(trainable, all, plan.TotalSteps, state.Step, plan.MicroBatchesPerEpoch, summary.Documents, summary.Tokens, summary.Targets)
        {
            EvaluatedStep = state.EvaluatedStep,
            Groups = TrainedParameterGroups.Of(parameters),
        };
    }

    /// <summary>One optimizer step: gradients of all its micro-batches, each item with the same weight, then clipping and the update. False: cancelled, nothing has changed.</summary>
    private bool RunStep(MetricsLog metrics, ThroughputMeter meter, CancellationToken cancellation)
    {
        using var measured = StepClock.Step();
        int step = state.Step;
        meter.StepStarts();
        if (steps.Backward(step, plan.MicroBatchesOf(step), cancellation) is not (double loss, IReadOnlyList<MicroBatch> batches))
            return false;

        IReadOnlyList<double>? norms = GradientNorms.IsDue(step + 1, plan.TotalSteps, options.GradientHistograms) ? GradientNorms.Of(parameters) : null;
        double gradNorm;
        using (StepClock.Optimizer())
            gradNorm = optimizer.CollectGradients();
        if (guard.Judge(loss, gradNorm, state) is { } bad)
        {
            optimizer.ClearGradients();
            _ = objective.TakePreferences();
            string documents = string.Join(", ", batches.SelectMany(b => b.Parts).Select(p => p.Document).Order().Take(16));
            if (Intervene($"step {step + 1}: {bad}. Training documents of the step: {documents}.", isUpdated: false, metrics))
                return true; // back at an earlier step
        }
        else
        {
            Update(step, gradNorm, loss);
        }

        int done = step + 1;
        double rate = schedule.RateOf(step) * state.RateFactor;
        state = state with { Step = done, Position = plan.PositionOf(done), Fit = steps.Fit };
        lastLoss = loss;
        long tokens = batches.Sum(b => (long)b.TokenCount);
        double tokensPerSecond = meter.StepEnds(tokens);
        bool shouldLog = done % Math.Max(1, options.LoggingSteps) == 0 || done == plan.TotalSteps;
        StepMetrics result = new(done, plan.TotalSteps, plan.EpochAfter(done), loss, gradNorm, rate, tokens, tokensPerSecond, ProcessMemory.PeakBytes(model.Device), meter.TimeLeft(plan.TotalSteps - done), shouldLog)
        {
            MeanTokensPerSecond = meter.Mean(shouldLog),
            Preference = objective.TakePreferences(),
            GradientNorms = norms,
        };
        metrics.Write(result);
        observer.Stepped(result);
        return true;
    }

    private void Update(int step, double gradNorm, double loss)
    {
        double clip = options.MaxGradNorm > 0 ? Math.Min(1, options.MaxGradNorm / (gradNorm + 1e-6)) : 1;
        using (StepClock.Optimizer())
            optimizer.Step(schedule.RateOf(step) * state.RateFactor, clip);
        state = state with { RecentLosses = guard.Remember(state.RecentLosses, loss) };
    }

    /// <summary>Does what the recipe says about a bad step (see <see cref="Recovery.Intervene"/>). True: the run stands at an earlier step; false: the step counts as done, without an update.</summary>
    private bool Intervene(string what, bool isUpdated, MetricsLog metrics)
    {
        (state, bool isBack) = recovery.Intervene(what, isUpdated, state, InitialState());
        if (!isBack)
            return false;
        steps.GoTo(state);
        metrics.BackTo(state.Step, state.EvaluatedStep);
        observer.WentBack(state.Step, state.EvaluatedStep);
        return true;
    }

    /// <summary>The evaluation and the checkpoint that are due where the run stands; after the last step one always is, so no result is written of weights that are not finite. False: cancelled before the evaluation was done.</summary>
    private bool FinishStep(MetricsLog metrics, CancellationToken cancellation)
    {
        do
        {
            try
            {
                while (evaluation is not null && evaluationInterval.IsDue(state.Step) && state.EvaluatedStep < state.Step)
                    Evaluate(evaluation, metrics, cancellation);
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
        while (HasBrokenWeights(metrics));
        if (state.Step > 0 && IsCheckpointDue)
            SaveCheckpoint(metrics);
        return true;
    }

    /// <summary>Whether the checkpoint that is due would have held weights that are not finite; the run then stands at an earlier step.</summary>
    private bool HasBrokenWeights(MetricsLog metrics) =>
        state.Step > 0 && IsCheckpointDue && TrainingGuard.JudgeWeights(parameters) is { } bad
        && Intervene($"the weights after step {state.Step}: {bad}, so an update has broken them.", isUpdated: true, metrics);

    /// <summary>What training starts from. It decides about nothing: not the best state, not early stopping. False: cancelled.</summary>
    private bool EvaluateStart(CancellationToken cancellation)
    {
        if (!options.EvalOnStart || evaluation is null || state.Step > 0)
            return true;
        try
        {
            using var measured = StepClock.Evaluation();
            EvaluationResult start = steps.Evaluate(0, evaluation, cancellation);
            state = state with { StartEvaluation = start };
            observer.Evaluated(new EvaluationMetrics(0, plan.TotalSteps, start.Loss, start.Perplexity, start.Tokens, IsBest: false) { Preference = start.Preference });
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Counts an evaluation; one that is not finite shows that an update broke the model, and the run goes back.</summary>
    private void Evaluate(TokenDocuments documents, MetricsLog metrics, CancellationToken cancellation)
    {
        using var measured = StepClock.Evaluation(); // and of what observers do with it
        EvaluationResult result = steps.Evaluate(state.Step, documents, cancellation);
        if (!double.IsFinite(result.Loss))
        {
            _ = Intervene(string.Create(CultureInfo.InvariantCulture, $"the evaluation after step {state.Step}: the loss is {result.Loss}, so an update has broken the weights."), isUpdated: true, metrics);
            return;
        }

        double metric = MetricOf(result);
        double sign = (options.GreaterIsBetter ?? options.MetricForBestModel is BestMetric.EvalAccuracies or BestMetric.EvalMargins) ? 1 : -1;
        bool isBest = state.BestMetric is not { } best || sign * (metric - best) > 0;
        bool isProgress = state.BestMetric is not { } before || sign * (metric - before) > options.EarlyStoppingThreshold;
        state = state with
        {
            EvaluatedStep = state.Step,
            Fit = steps.Fit,
            BestStep = isBest ? state.Step : state.BestStep,
            BestEvalLoss = isBest ? result.Loss : state.BestEvalLoss,
            BestMetric = isBest ? metric : state.BestMetric,
            EvaluationsWithoutImprovement = isProgress ? 0 : state.EvaluationsWithoutImprovement + 1,
        };
        EvaluationMetrics evaluated = new(state.Step, plan.TotalSteps, result.Loss, result.Perplexity, result.Tokens, isBest) { Preference = result.Preference };
        metrics.Write(evaluated);
        observer.Evaluated(evaluated);
    }

    private void SaveCheckpoint(MetricsLog metrics)
    {
        if (savedState == state)
            return;
        metrics.FlushToDisk();
        string directory = checkpoints.Save(state);
        savedState = state;
        Prune();
        observer.CheckpointSaved(new CheckpointSaved(state.Step, directory));
    }

    private void Prune() => checkpoints.Store.Prune(
        state.Identity,
        options.SaveTotalLimit,
        options.LoadBestModelAtEnd,
        step => step == state.Step || (options.LoadBestModelAtEnd && step == state.BestStep) || (options.KeepEpochCheckpoints && plan.EndsEpoch(step)));

    private TrainingResult Cancel(MetricsLog metrics)
    {
        if (state.Step > 0 && TrainingGuard.JudgeWeights(parameters) is null)
            SaveCheckpoint(metrics);
        return new TrainingResult(TrainingOutcome.Cancelled, state.Step, plan.TotalSteps, lastLoss, state.BestStep, state.BestEvalLoss, null);
    }

    private TrainingResult Finish()
    {
        if (options.LoadBestModelAtEnd && state.BestStep is { } best && best != state.Step)
            checkpoints.LoadWeights(best);
        string written = checkpoints.WriteResult(model);
        steps.Finished();
        TrainingResult result = new(
            state.Step < plan.TotalSteps ? TrainingOutcome.StoppedEarly : TrainingOutcome.Completed,
            state.Step, plan.TotalSteps, lastLoss, state.BestStep, state.BestEvalLoss, written)
        {
            StartEvaluation = state.StartEvaluation,
        };
        observer.Finished(result);
        return result;
    }

    private TrainingState InitialState() => new(identity, 0, plan.PositionOf(0), 0, null, null, 0) { TotalSteps = plan.TotalSteps };

    private double MetricOf(EvaluationResult result) => options.MetricForBestModel switch
    {
        BestMetric.EvalLoss => result.Loss,
        BestMetric.EvalPerplexity => result.Perplexity,
        BestMetric.EvalAccuracies => result.Preference!.Accuracy,
        _ => result.Preference!.Margin,
    };
}
