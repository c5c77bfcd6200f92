// The learning rate of every step, as transformers' schedulers compute it.
namespace LoraBuild.Engine.Training;

public enum LearningRateScheduleKind
{
    Linear,
    Cosine,
    Constant,
    ConstantWithWarmup,
}

/// <summary>Rate of step k = 0, 1, …: peak · k/w during the warmup of w steps, then what the kind says over the rest of the n steps.</summary>
public sealed record LearningRateSchedule(LearningRateScheduleKind Kind, double PeakRate, int WarmupSteps, int TotalSteps)
{
    /// <summary>transformers: an explicit number of warmup steps, else ⌈ratio · total⌉.</summary>
    public static LearningRateSchedule Create(TrainOptions options, int totalSteps) =>
        new(options.Schedule, options.LearningRate, options.WarmupSteps ?? (int)Math.Ceiling(totalSteps * options.WarmupRatio), totalSteps);

    /// <summary>The rate that optimizer step <paramref name="step"/> (from 0) uses.</summary>
    public double RateOf(int step) => PeakRate * Factor(step);

    private double Factor(int step)
    {
        if (Kind == LearningRateScheduleKind.Constant)
            return 1;
        if (step < WarmupSteps)
            return (double)step / Math.Max(1, WarmupSteps);

        double remaining = Math.Max(1, TotalSteps - WarmupSteps);
        return Kind switch
        {
            LearningRateScheduleKind.Linear => Math.Max(0, (TotalSteps - step) / remaining),
            LearningRateScheduleKind.Cosine => Math.Max(0, 0.5 * (1 + Math.Cos(Math.PI * ((step - WarmupSteps) / remaining)))),
            LearningRateScheduleKind.ConstantWithWarmup => 1,
            _ => throw new InvalidOperationException($"no formula for {Kind}"),
        };
    }
}
