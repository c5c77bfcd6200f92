// The norm of each trained tensor's gradient, for a histogram now and then.
using LoraBuild.Engine.Training.Optimizers;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

/// <summary>Reads every gradient once more, which is little beside a step; a run takes only <see cref="TrainOptions.GradientHistograms"/> of them.</summary>
internal static class GradientNorms
{
    public static bool IsDue(int step, int totalSteps, int histograms) =>
        histograms > 0 && (step == 1 || step % Math.Max(1, (totalSteps + histograms - 1) / histograms) == 0);

    /// <summary>√(Σ g²) of each parameter that has a gradient, before clipping.</summary>
    public static IReadOnlyList<double> Of(IReadOnlyList<(string Name, Tensor Value)> parameters)
    {
        List<double> norms = [];
        foreach ((_, Tensor value) in parameters)
        {
            using Tensor? gradient = value.grad;
            if (gradient is not null)
                norms.Add(GradientTensors.Norm([gradient]));
        }

        return norms;
    }
}
