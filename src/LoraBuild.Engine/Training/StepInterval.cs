// "Every N steps, or a fraction of the run", as eval_steps, save_steps and logging_steps say it.
namespace LoraBuild.Engine.Training;

/// <summary>The last step is always due.</summary>
public sealed record StepInterval(int Every, int TotalSteps)
{
    /// <summary>transformers: a value below 1 is a fraction of the run, rounded up to whole steps. 0: only the last step.</summary>
    public static StepInterval Create(double value, int totalSteps)
    {
        int every = value switch
        {
            <= 0 => totalSteps,
            < 1 => (int)Math.Ceiling(totalSteps * value),
            _ => (int)Math.Min(value, totalSteps),
        };
        return new StepInterval(Math.Max(1, every), totalSteps);
    }

    /// <param name="stepsDone">Optimizer steps done, from 1.</param>
    public bool IsDue(int stepsDone) => stepsDone > 0 && (stepsDone % Every == 0 || stepsDone == TotalSteps);
}
