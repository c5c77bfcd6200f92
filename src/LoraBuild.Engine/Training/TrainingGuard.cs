// Judges each step before its update.
using System.Globalization;

namespace LoraBuild.Engine.Training;

internal sealed class TrainingGuard(GuardOptions options)
{
    private const int Window = 10;

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

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
