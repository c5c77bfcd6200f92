// Judges each step before its update, and holds the start of an adapter for a run that has no checkpoint yet.
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

internal sealed class TrainingGuard(GuardOptions options) : IDisposable
{
    private const int Window = 10;

    private Tensor[] start = [];

    /// <summary>Why the step must not be taken; null: it may.</summary>
    public string? Judge(double loss, double gradNorm, TrainingState state)
    {
        if (!double.IsFinite(loss))
            return Text($"the loss is {loss}");
        if (!double.IsFinite(gradNorm))
            return Text($"the gradient norm is {gradNorm}");
        if (options.GradNorm is double limit && gradNorm > limit)
            return Text($"the gradient norm is {gradNorm:G4}, above train.guard.grad_norm ({limit:G4})");
        if (options.LossSpike is double factor && state.RecentLosses is { Count: Window } recent && loss > factor * recent.Average())
            return Text($"the loss is {loss:G4}, more than {factor:G3} times the mean of the last {Window} ({recent.Average():G4})");
        return null;
    }

    /// <summary>The losses that the next step is compared with.</summary>
    public IReadOnlyList<double>? Remember(IReadOnlyList<double>? losses, double loss) =>
        options.LossSpike is null ? null : [.. (losses ?? []).Append(loss).TakeLast(Window)];

    /// <summary>Copies what is trained; small for an adapter.</summary>
    public void HoldStart(IReadOnlyList<(string Name, Tensor Value)> parameters)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        start = [.. parameters.Select(p => p.Value.detach().clone().DetachFromDisposeScope())];
    }

    /// <returns>False: no start is held.</returns>
    public bool RestoreStart(IReadOnlyList<(string Name, Tensor Value)> parameters)
    {
        using IDisposable noGrad = no_grad();
        for (int i = 0; i < start.Length; i++)
            parameters[i].Value.copy_(start[i]);
        return start.Length > 0;
    }

    public void Dispose()
    {
        foreach (Tensor value in start)
            value.Dispose();
        start = [];
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
