// What is done about a step that went wrong: it is skipped, the run goes back behind it, or the run ends.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training.Optimizers;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

/// <summary>Brings weights, optimizer and checkpoints to where the recipe's policy says; the caller takes over the state that comes back.</summary>
internal sealed class Recovery(GuardOptions policy, IReadOnlyList<(string Name, Tensor Value)> parameters, IOptimizer optimizer, CheckpointFiles checkpoints, ITrainingObserver observer) : IDisposable
{
    private const string Advice = "Lower train.learning_rate, add warmup, or hold the weights in float32 (base.dtype).";

    private Tensor[] start = [];

    /// <summary>Copies what is trained, for a run that has no checkpoint to go back to; small for an adapter.</summary>
    public void HoldStart()
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        start = [.. parameters.Select(p => p.Value.detach().clone().DetachFromDisposeScope())];
    }

    /// <summary>What the recipe says about a bad step.</summary>
    /// <param name="what">Step, finding and documents, as a sentence.</param>
    /// <param name="isUpdated">The weights themselves are bad: there is nothing left to skip.</param>
    /// <param name="state">Where the run stands.</param>
    /// <param name="initial">Where it began.</param>
    /// <returns>Where it stands now. Back: at an earlier step, or again at the start; otherwise the step counts as done, without an update.</returns>
    /// <exception cref="DiagnosticException">LB0603: stop, too many, or nothing to go back to.</exception>
    public (TrainingState State, bool IsBack) Intervene(string what, bool isUpdated, TrainingState state, TrainingState initial)
    {
        int count = state.Interventions + 1;
        string kept = isUpdated && NewestBefore(state) is { } newest ? $" The newest checkpoint from before is checkpoints/step-{newest.Step}." : "";
        if (policy.OnNan == OnNan.Stop || (policy.OnNan == OnNan.Skip && isUpdated))
            throw new DiagnosticException("LB0603", $"{what}{kept} {Advice}");
        if (count > policy.MostInterventions)
            throw new DiagnosticException("LB0603", $"{what} This is bad step number {count}, and train.guard.max_interventions is {policy.MostInterventions}.{kept} {Advice}");
        if (policy.OnNan == OnNan.Rollback)
            return (GoBack(what, count, state, initial), true);
        observer.Report(Diagnostic.Warning("LB0616", $"{what} The step is skipped ({count} of {policy.MostInterventions})."));
        return (state with { Interventions = count }, false);
    }

    public void Dispose()
    {
        foreach (Tensor value in start)
            value.Dispose();
        start = [];
    }

    /// <summary>To the newest checkpoint before the place where the run stands: one of that place has the very weights that the step was bad with, and from it would be so again.</summary>
    /// <exception cref="DiagnosticException">LB0603: there is none.</exception>
    private TrainingState GoBack(string what, int count, TrainingState state, TrainingState initial)
    {
        TrainingState? back = NewestBefore(state);
        if (back is not null)
            checkpoints.Load(back.Step);
        else if (RestoreStart())
            optimizer.Reset();
        else
            throw new DiagnosticException("LB0603", $"{what} There is no earlier checkpoint to go back to; set train.save_steps lower. {Advice}");
        back ??= initial;
        checkpoints.Store.RemoveAfter(state.Identity, back.Step); // what went wrong is in them, and the run comes there another way
        double factor = state.RateFactor * policy.RateFactor;
        observer.Report(Diagnostic.Warning("LB0615", string.Create(
            CultureInfo.InvariantCulture, $"{what} Back to step {back.Step} with {factor:G3} times the rate ({count} of {policy.MostInterventions}).")));
        return back with { TotalSteps = state.TotalSteps, RateFactor = factor, Interventions = count, StartEvaluation = state.StartEvaluation };
    }

    private TrainingState? NewestBefore(TrainingState state) => checkpoints.Store.All().LastOrDefault(s => s.Identity == state.Identity && s.Step < state.Step);

    /// <returns>False: no start is held.</returns>
    private bool RestoreStart()
    {
        using IDisposable noGrad = no_grad();
        for (int i = 0; i < start.Length; i++)
            parameters[i].Value.copy_(start[i]);
        return start.Length > 0;
    }
}
