// What a schedule may be told beside its kind: transformers' lr_scheduler_kwargs.
using System.Globalization;

namespace LoraBuild.Engine.Training;

public enum ScheduleCurve
{
    Linear,
    Cosine,

    /// <summary>1 − √progress on the way down, 1 − √(1 − progress) on the way up.</summary>
    OneMinusSqrt,
}

/// <summary>Names and defaults are transformers'; null: the default of the schedule's kind.</summary>
public sealed record ScheduleArguments
{
    /// <summary>Waves of the cosine (default ½: one fall), or restarts (default 1).</summary>
    public double? NumCycles { get; init; }

    /// <summary>Lowest rate of the cosine schedules with a minimum.</summary>
    public double? MinLr { get; init; }

    /// <summary>The same as a part of the peak rate.</summary>
    public double? MinLrRate { get; init; }

    /// <summary>Where the warmup of cosine_warmup_with_min_lr begins, as a part of the peak rate.</summary>
    public double? WarmupLrRate { get; init; }

    /// <summary>Of the polynomial.</summary>
    public double Power { get; init; } = 1;

    /// <summary>Last rate of the polynomial.</summary>
    public double LrEnd { get; init; } = 1e-7;

    /// <summary>Steps after which inverse_sqrt has fallen by a known part; null: the warmup.</summary>
    public int? Timescale { get; init; }

    /// <summary>Of warmup_stable_decay, which needs it.</summary>
    public int? NumDecaySteps { get; init; }

    /// <summary>Null: what warmup and decay leave.</summary>
    public int? NumStableSteps { get; init; }
    public ScheduleCurve WarmupType { get; init; } = ScheduleCurve.Linear;
    public ScheduleCurve DecayType { get; init; } = ScheduleCurve.Cosine;
    public double MinLrRatio { get; init; }

    /// <param name="values">By transformers' names, as a recipe that was checked has them.</param>
    public static ScheduleArguments From(IReadOnlyDictionary<string, string> values)
    {
        double? Number(string name) => values.TryGetValue(name, out string? text) ? double.Parse(text, CultureInfo.InvariantCulture) : null;
        int? Count(string name) => (int?)Number(name);
        ScheduleCurve Curve(string name, ScheduleCurve otherwise) => values.TryGetValue(name, out string? text)
            ? text switch
            {
                "linear" => ScheduleCurve.Linear,
                "cosine" => ScheduleCurve.Cosine,
                _ => ScheduleCurve.OneMinusSqrt,
            }
            : otherwise;

        ScheduleArguments defaults = new();
        return new ScheduleArguments
        {
            NumCycles = Number("num_cycles"),
            MinLr = Number("min_lr"),
            MinLrRate = Number("min_lr_rate"),
            WarmupLrRate = Number("warmup_lr_rate"),
            Power = Number("power") ?? defaults.Power,
            LrEnd = Number("lr_end") ?? defaults.LrEnd,
            Timescale = Count("timescale"),
            NumDecaySteps = Count("num_decay_steps"),
            NumStableSteps = Count("num_stable_steps"),
            WarmupType = Curve("warmup_type", defaults.WarmupType),
            DecayType = Curve("decay_type", defaults.DecayType),
            MinLrRatio = Number("min_lr_ratio") ?? defaults.MinLrRatio,
        };
    }
}
