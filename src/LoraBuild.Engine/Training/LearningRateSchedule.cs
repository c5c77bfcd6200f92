// The learning rate of every step, as transformers' schedulers compute it.
namespace LoraBuild.Engine.Training;

/// <summary>transformers' SchedulerType, as far as the rate follows from the step alone.</summary>
public enum LearningRateScheduleKind
{
    Linear,
    Cosine,
    CosineWithRestarts,
    Polynomial,
    Constant,
    ConstantWithWarmup,
    InverseSqrt,
    CosineWithMinLr,
    CosineWarmupWithMinLr,
    WarmupStableDecay,
}

/// <summary>Rate of step k = 0, 1, …: peak · k/w during the warmup of w steps, then what the kind says over the rest of the n steps.</summary>
public sealed record LearningRateSchedule(LearningRateScheduleKind Kind, double PeakRate, int WarmupSteps, int TotalSteps, ScheduleArguments Arguments)
{
    public static LearningRateSchedule Create(TrainOptions options, int totalSteps) =>
        new(options.Schedule, options.LearningRate, WarmupStepsOf(options.WarmupSteps, options.WarmupRatio, totalSteps), totalSteps, options.ScheduleArguments);

    /// <summary>transformers: an explicit number of warmup steps, else ⌈ratio · total⌉.</summary>
    public static int WarmupStepsOf(int? steps, double ratio, int totalSteps) => steps ?? (int)Math.Ceiling(totalSteps * ratio);

    /// <summary>The rate that optimizer step <paramref name="step"/> (from 0) uses.</summary>
    public double RateOf(int step) => PeakRate * Factor(step);

    /// <summary>The first <paramref name="steps"/> rates are the same: a run that did them may go on under the other schedule.</summary>
    public bool BeginsLike(LearningRateSchedule other, int steps) => Enumerable.Range(0, steps).All(k => RateOf(k) == other.RateOf(k));

    private double Factor(int step)
    {
        if (Kind == LearningRateScheduleKind.Constant)
            return 1;
        if (step < WarmupSteps)
            return Warmup(step);

        double remaining = Math.Max(1, TotalSteps - WarmupSteps);
        double progress = (step - WarmupSteps) / remaining;
        return Kind switch
        {
            LearningRateScheduleKind.Linear => Math.Max(0, (TotalSteps - step) / remaining),
            LearningRateScheduleKind.Cosine => Math.Max(0, Wave(Arguments.NumCycles ?? 0.5, progress)),
            LearningRateScheduleKind.CosineWithRestarts => progress >= 1 ? 0 : Math.Max(0, Half((Arguments.NumCycles ?? 1) * progress % 1)),
            LearningRateScheduleKind.Polynomial => Polynomial(step),
            LearningRateScheduleKind.ConstantWithWarmup => 1,
            LearningRateScheduleKind.InverseSqrt => InverseSqrt(step),
            LearningRateScheduleKind.CosineWithMinLr => Math.Max(0, Lifted(Wave(Arguments.NumCycles ?? 0.5, progress), LeastFactor)),
            LearningRateScheduleKind.CosineWarmupWithMinLr => Math.Max(0, Lifted(Wave(Arguments.NumCycles ?? 0.5, (step - WarmupSteps + 1) / remaining), LeastFactor)),
            LearningRateScheduleKind.WarmupStableDecay => StableDecay(step),
            _ => throw new InvalidOperationException($"no formula for {Kind}"),
        };
    }

    private double LeastFactor => Arguments.MinLr is double rate ? rate / PeakRate : Arguments.MinLrRate ?? 0;

    private double Warmup(int step)
    {
        double progress = (double)step / Math.Max(1, WarmupSteps);
        return Kind switch
        {
            LearningRateScheduleKind.CosineWarmupWithMinLr => Arguments.WarmupLrRate is double first
                ? first + ((1 - first) * step / Math.Max(1, WarmupSteps - 1))
                : (step + 1.0) / Math.Max(1, WarmupSteps),
            LearningRateScheduleKind.WarmupStableDecay => Math.Max(0, Lifted(
                Arguments.WarmupType switch
                {
                    ScheduleCurve.Linear => progress,
                    ScheduleCurve.Cosine => 0.5 * (1 - Math.Cos(Math.PI * progress)),
                    _ => 1 - Math.Sqrt(1 - progress),
                },
                Arguments.MinLrRatio)),
            _ => progress,
        };
    }

    private double Polynomial(int step)
    {
        if (step > TotalSteps)
            return Arguments.LrEnd / PeakRate;
        double left = 1 - ((double)(step - WarmupSteps) / (TotalSteps - WarmupSteps));
        return (((PeakRate - Arguments.LrEnd) * Math.Pow(left, Arguments.Power)) + Arguments.LrEnd) / PeakRate;
    }

    private double InverseSqrt(int step)
    {
        const int scaleWithoutWarmup = 10_000;
        double timescale = Arguments.Timescale ?? (WarmupSteps > 0 ? WarmupSteps : scaleWithoutWarmup);
        return 1 / Math.Sqrt((step + timescale - WarmupSteps) / timescale);
    }

    private double StableDecay(int step)
    {
        int decay = Arguments.NumDecaySteps ?? throw new InvalidOperationException("warmup_stable_decay needs num_decay_steps");
        int stable = Arguments.NumStableSteps ?? TotalSteps - WarmupSteps - decay;
        int into = step - WarmupSteps - stable;
        if (into < 0)
            return 1;
        if (into >= decay)
            return Arguments.MinLrRatio;
        double progress = (double)into / Math.Max(1, decay);
        double factor = Arguments.DecayType switch
        {
            ScheduleCurve.Linear => 1 - progress,
            ScheduleCurve.Cosine => Wave(Arguments.NumCycles ?? 0.5, progress),
            _ => 1 - Math.Sqrt(progress),
        };
        return Math.Max(0, Lifted(factor, Arguments.MinLrRatio));
    }

    private static double Wave(double cycles, double progress) => 0.5 * (1 + Math.Cos(Math.PI * cycles * 2 * progress));

    private static double Half(double progress) => 0.5 * (1 + Math.Cos(Math.PI * progress));

    private static double Lifted(double factor, double least) => (factor * (1 - least)) + least;
}
