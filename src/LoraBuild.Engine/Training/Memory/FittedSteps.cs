// The forward and backward passes of a step, made to fit into memory: the ladder, the search, and what is remembered of both.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Recomputation;
using LoraBuild.Engine.Training.Optimizers;
using LoraBuild.Engine.Training.Preference;

namespace LoraBuild.Engine.Training.Memory;

/// <summary>
/// When memory runs out, the step begins again with passes of half the tokens; when a single document does not fit, with recomputed layers; then the run
/// ends. The documents of a step, what its loss is divided by and its random numbers stay, so the result differs in the last bits at most.
/// </summary>
internal sealed class FittedSteps : IDisposable
{
    private const long NoiseStream = 1; // beside dropout's seed of the same micro-batch
    private const string ScratchFile = "activations.scratch";

    private readonly CausalLM model;
    private readonly LoraAdapter? adapter;
    private readonly NeftuneNoise? noise;
    private readonly ITrainingObjective objective;
    private readonly IOptimizer optimizer;
    private readonly TrainOptions options;
    private readonly string directory;
    private readonly string identity;
    private readonly IDiagnosticSink sink;
    private List<MemoryRung> rungs = [];
    private LayerRecomputation? recomputation;

    /// <param name="directory">Of the run's output.</param>
    /// <param name="identity">See <see cref="RunIdentity"/>.</param>
    public FittedSteps(CausalLM model, LoraAdapter? adapter, NeftuneNoise? noise, ITrainingObjective objective, IOptimizer optimizer, TrainOptions options, string directory, string identity, IDiagnosticSink sink)
    {
        this.model = model;
        this.adapter = adapter;
        this.noise = noise;
        this.objective = objective;
        this.optimizer = optimizer;
        this.options = options;
        this.directory = directory;
        this.identity = identity;
        this.sink = sink;
        PagingFile.DeleteStale(Path.Combine(directory, ScratchFile));
        Use(new MemoryFit());
    }

    /// <summary>What the next step is done with; part of a checkpoint.</summary>
    public MemoryFit Fit { get; private set; } = new();

    private bool RecomputesLayers => options.GradientCheckpointing || Fit.RecomputesLayers;

    /// <summary>
    /// Where the run begins. Going on after a kill, each rung comes at the step at which it came before; a run that begins anew has the last one from the start.
    /// </summary>
    /// <param name="checkpoint">The state that the run goes on from; null: it begins anew.</param>
    /// <param name="plan">For the search, where the recipe asks for one and nothing is known.</param>
    /// <exception cref="DiagnosticException">LB0652: the largest document does not fit.</exception>
    public void Begin(TrainingState? checkpoint, BatchPlan plan)
    {
        RememberedFit? known = RememberedFit.Read(directory, identity, options.Machine);
        rungs = [.. known?.Rungs ?? []];
        if (checkpoint is not null)
        {
            GoTo(checkpoint);
            return;
        }

        if (known is null && options.AutoFindBatchSize)
        {
            Search(plan);
        }
        else if (known is not null && (known.IsFinished || !options.Resume))
        {
            MemoryFit last = rungs[^1].Fit;
            rungs.Clear();
            Descend(0, last);
            sink.Report(Diagnostic.Info("LB0653", $"an earlier run of this recipe on this machine ran out of memory or searched: {Text(last)}, as then. Delete {RememberedFit.FileName} to try the recipe's own sizes again."));
        }
    }

    /// <summary>As the run was when it stood there; what came after comes again at its step.</summary>
    public void GoTo(TrainingState state) => Use(state.Fit ?? new MemoryFit());

    /// <summary>The run came to its end.</summary>
    public void Finished()
    {
        if (rungs.Count > 0)
            Remember(isFinished: true);
    }

    /// <summary>Adds the gradients of a step to everything that is trained.</summary>
    /// <param name="step">From 0.</param>
    /// <param name="microBatches">Its units by the plan.</param>
    /// <returns>The step's loss and its passes; null: cancelled, and no gradient is left.</returns>
    /// <exception cref="DiagnosticException">LB0652: there is no way to fit it.</exception>
    public (double Loss, IReadOnlyList<MicroBatch> Passes)? Backward(int step, IReadOnlyList<int[]> microBatches, CancellationToken cancellation)
    {
        if (rungs.FindLast(r => r.FromStep == step) is { } again)
            Use(again.Fit);
        while (true)
        {
            IReadOnlyList<StepPass> passes = StepCut.Cut(objective, microBatches, Fit.PassTokens, options.AutoFindBatchSize);
            long items = passes.Sum(p => objective.ItemsOf(p.Batch));
            double loss = 0;
            StepPass? current = null;
            bool isCancelled = false;
            Exception? failure = OutOfMemory.During(() =>
            {
                foreach (StepPass pass in passes)
                {
                    isCancelled = cancellation.IsCancellationRequested;
                    if (isCancelled)
                        return;
                    current = pass;
                    loss += Backward(step, pass, items);
                }
            });
            if (failure is null && !isCancelled)
                return (loss, [.. passes.Select(p => p.Batch)]);
            Forget();
            if (failure is null)
                return null;
            ClimbDown(step, current!, microBatches, failure);
        }
    }

    /// <summary>The evaluation, in smaller batches where memory runs out; their size changes the loss in the last bits at most.</summary>
    /// <exception cref="DiagnosticException">LB0652: a single document does not fit.</exception>
    /// <exception cref="OperationCanceledException">Between two batches.</exception>
    public EvaluationResult Evaluate(int step, TokenDocuments documents, CancellationToken cancellation)
    {
        if (rungs.FindLast(r => r.FromStep == step) is { } again)
            Use(Fit with { EvaluationTokens = again.Fit.EvaluationTokens });
        int longest = (documents.IsPairs ? PreferenceObjective.LengthsOf(documents) : TokenObjective.LengthsOf(documents)).Max();
        while (true)
        {
            int tokens = Fit.EvaluationTokens ?? options.EvaluationBatchTokens;
            EvaluationResult? result = null;
            if (OutOfMemory.During(() => result = objective.Evaluate(documents, tokens, cancellation)) is not { } failure)
                return result!;
            if (tokens <= longest)
                throw new DiagnosticException("LB0652", $"the evaluation after step {step}: memory runs out with one document at a time. {OutOfMemoryAdvice.Of(model, adapter, options, failure, null)}");
            int half = Math.Max(longest, Math.Min(tokens, documents.InputIds.Length) / 2);
            Descend(step, Fit with { EvaluationTokens = half });
            sink.Report(Diagnostic.Warning("LB0655", Invariant($"the evaluation after step {step}: memory ran out in batches of {tokens:N0} tokens; from now on they have {half:N0}. To begin like this: evaluate.batch_tokens: {half}.")));
        }
    }

    public void Dispose()
    {
        model.RecomputedLayers = null;
        recomputation?.Dispose();
    }

    private double Backward(int step, StepPass pass, long items)
    {
        adapter?.SetDropout(new RowRandomness(pass.Rows, m => DeterministicRandom.Combine(options.Seed, step, m)));
        noise?.Set(new RowRandomness(pass.Rows, m => DeterministicRandom.Combine(options.Seed, step, m, NoiseStream)));
        return objective.Backward(pass.Batch, items);
    }

    private void Forget()
    {
        optimizer.ClearGradients();
        _ = objective.TakePreferences();
    }

    private void ClimbDown(int step, StepPass failed, IReadOnlyList<int[]> microBatches, Exception e)
    {
        int tokens = failed.Batch.TokenCount;
        string place = Invariant($"step {step + 1}: memory ran out in a pass of {tokens:N0} tokens ({failed.Batch.Parts.Count:N0} documents)");
        if (failed.Units.Count > 1)
        {
            Descend(step, Fit with { PassTokens = tokens / 2 });
            sink.Report(Diagnostic.Warning("LB0650", Invariant($"{place}. The step is done again in passes of at most {tokens / 2:N0} tokens, and so are all that follow; the effective batch stays. To begin like this: {BatchKeys(microBatches)}.")));
        }
        else if (!RecomputesLayers)
        {
            Descend(step, Fit with { RecomputesLayers = true });
            sink.Report(Diagnostic.Warning("LB0651", $"{place}, which cannot be cut. From now on layers are computed again in the backward pass, which takes longer and changes no bit. To begin like this: train.gradient_checkpointing: true."));
        }
        else
        {
            throw new DiagnosticException("LB0652", $"{place}, which cannot be cut, and layers are already computed again. {OutOfMemoryAdvice.Of(model, adapter, options, e, LongestThatFits(failed.Batch))} Checkpoints stay; with what changes no weight's shape and no document the same command goes on from them.");
        }
    }

    /// <summary>What the recipe says to have passes of this size from the start.</summary>
    private string BatchKeys(IReadOnlyList<int[]> microBatches)
    {
        if (options.Packing)
        {
            long effective = (long)options.MaxLength * options.BatchSize * options.AccumulationSteps;
            return Invariant($"train.per_device_train_batch_tokens: {Fit.PassTokens}, train.gradient_accumulation_steps: {(effective + Fit.PassTokens! - 1) / Fit.PassTokens}");
        }

        int documents = StepCut.Cut(objective, microBatches, Fit.PassTokens, options.AutoFindBatchSize).Max(p => p.Units.Count);
        return Invariant($"train.per_device_train_batch_size: {documents}, train.gradient_accumulation_steps: {((options.BatchSize * options.AccumulationSteps) + documents - 1) / documents}");
    }

    private void Search(BatchPlan plan)
    {
        int[] units = [.. Enumerable.Range(0, objective.UnitLengths.Count).OrderByDescending(u => objective.UnitLengths[u])];
        int longest = objective.UnitLengths[units[0]];
        int largest = Math.Max(longest, Enumerable.Range(0, Math.Min(plan.StepsPerEpoch, plan.TotalSteps)).Max(s => plan.MicroBatchesOf(s).Sum(m => m.Sum(u => objective.UnitLengths[u]))));
        (int? fits, int? tooLarge) = BatchSizeSearch.Find(longest, largest, tokens => Fits(units, tokens, out _));
        if (fits is null && !RecomputesLayers)
        {
            Use(Fit with { RecomputesLayers = true });
            (fits, tooLarge) = BatchSizeSearch.Find(longest, largest, tokens => Fits(units, tokens, out _));
        }

        if (fits is null)
        {
            _ = Fits(units, longest, out Exception? e);
            throw new DiagnosticException("LB0652", Invariant($"train.auto_find_batch_size: memory runs out with the longest document of {longest:N0} tokens alone, and with layers that are computed again. {OutOfMemoryAdvice.Of(model, adapter, options, e, LongestThatFits(objective.Batch([units[0]])))}"));
        }

        Descend(0, Fit with { PassTokens = fits });
        string tried = tooLarge is null ? "which is a whole step" : Invariant($"{tooLarge:N0} do not");
        sink.Report(Diagnostic.Info("LB0654", Invariant($"train.auto_find_batch_size: passes of {fits:N0} tokens fit, {tried}; the effective batch stays. {(Fit.RecomputesLayers ? "Layers are computed again in the backward pass. " : "")}Remembered in {RememberedFit.FileName}.")));
    }

    /// <summary>Whether the worst pass of so many tokens, the one of the longest documents, goes through. Leaves nothing behind.</summary>
    private bool Fits(IReadOnlyList<int> longestFirst, int tokens, out Exception? failure)
    {
        List<int> taken = [longestFirst[0]];
        long sum = objective.UnitLengths[longestFirst[0]];
        foreach (int unit in longestFirst.Skip(1).Where(u => sum + objective.UnitLengths[u] <= tokens))
        {
            sum += objective.UnitLengths[unit];
            taken.Add(unit);
        }

        MicroBatch batch = objective.Batch(taken);
        StepPass pass = new(batch, taken, [new BlockRows(0, batch.TokenCount, 0, batch.TokenCount)]);
        failure = OutOfMemory.During(() => Backward(0, pass, Math.Max(1, objective.ItemsOf(batch))));
        Forget();
        OutOfMemory.ReleaseUnused();
        return failure is null;
    }

    private void Use(MemoryFit fit)
    {
        Fit = fit;
        if (RecomputesLayers && recomputation is null)
            recomputation = new LayerRecomputation(options.ActivationOffloading ? Path.Combine(directory, ScratchFile) : null);
        model.RecomputedLayers = RecomputesLayers ? recomputation : null;
    }

    private void Descend(int step, MemoryFit fit)
    {
        Use(fit);
        rungs.RemoveAll(r => r.FromStep >= step);
        rungs.Add(new MemoryRung(step, fit));
        Remember(isFinished: false);
    }

    private void Remember(bool isFinished) => new RememberedFit(identity, options.Machine, isFinished, rungs).Write(directory);

    /// <summary>Tokens of a document that goes through with layers computed again, found by trying halves; 0: not even a short one.</summary>
    private int LongestThatFits(MicroBatch failed)
    {
        const int shortest = 2; // what template.max_length allows
        adapter?.SetDropoutSeed(0);
        noise?.SetSeed(0);
        for (int length = failed.Parts.Max(p => p.Tokens) / 2; length >= shortest; length /= 2)
        {
            int[] ids = new int[length];
            TokenObjective one = new(model, new TokenDocuments(ids, ids, [0, length]), 0);
            Exception? failure = OutOfMemory.During(() => one.Backward(one.Batch([0]), length));
            Forget();
            if (failure is null)
                return length;
        }

        return 0;
    }

    private static string Text(MemoryFit fit) => string.Join(
        " and ",
        new[]
        {
            fit.PassTokens is int tokens ? Invariant($"passes of at most {tokens:N0} tokens") : null,
            fit.RecomputesLayers ? "layers computed again in the backward pass" : null,
            fit.EvaluationTokens is int evaluated ? Invariant($"evaluation batches of {evaluated:N0} tokens") : null,
        }.OfType<string>());

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
