// Judges each step before its update, and weights before they are kept.
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

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

    /// <summary>Why weights must not be kept; null: they may. An update can break them though its gradient is finite, and without an evaluation no later step would show it.</summary>
    public static string? JudgeWeights(IReadOnlyList<(string Name, Tensor Value)> parameters)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        foreach ((string name, Tensor value) in parameters)
        {
            if (!value.isfinite().all().item<bool>())
                return $"{name} is not finite";
        }

        return null;
    }

    /// <summary>The losses that the next step is compared with.</summary>
    public IReadOnlyList<double>? Remember(IReadOnlyList<double>? losses, double loss) =>
        options.LossSpike is null ? null : [.. (losses ?? []).Append(loss).TakeLast(Window)];

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
