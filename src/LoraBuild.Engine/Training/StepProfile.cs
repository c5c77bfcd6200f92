// Where the time of training steps goes, by part of the model, forward and backward apart.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif

namespace LoraBuild.Engine.Training;

/// <param name="Part">linear, adapter, attention, rope, norm, activation, embedding, loss, optimizer, or rest: what is none of them.</param>
/// <param name="Forward">Seconds in forward passes.</param>
/// <param name="Backward">Seconds in backward passes.</param>
/// <param name="Calls">Of kernels, forward and backward.</param>
public sealed record ProfiledPart(string Part, double Forward, double Backward, long Calls)
{
    public double Seconds => Forward + Backward;
}

/// <summary>
/// Counts by the clocks of the native kernels, process-wide. The parts exclude one another and together are the whole time of the steps (on a device what libtorch's
/// own thread launches is also in the time that the step waits for it); evaluations, checkpoints and what else comes between steps are in none of them.
/// </summary>
/// <param name="Steps">Optimizer steps that were measured.</param>
/// <param name="Seconds">Of all these steps.</param>
/// <param name="Evaluations">Between the steps, before the first and after the last one.</param>
/// <param name="EvaluationSeconds">Of all evaluations, with what observers do at each (sample answers).</param>
public sealed record StepProfile(long Steps, double Seconds, IReadOnlyList<ProfiledPart> Parts, long Evaluations, double EvaluationSeconds)
{
    /// <summary>False without our native library: the kernels' clocks are in it.</summary>
    public static bool IsAvailable =>
#if NATIVE_KERNELS
        true;
#else
        false;
#endif

    /// <summary>Counts from now on, from zero.</summary>
    public static void Start()
    {
#if NATIVE_KERNELS
        KernelProfile.Enable(true);
#endif
    }

    /// <summary>Ends the counting.</summary>
    public static StepProfile Stop()
    {
#if NATIVE_KERNELS
        IReadOnlyList<PartTime> times = KernelProfile.Read();
        KernelProfile.Enable(false);
        PartTime steps = times[(int)ProfilePart.Step];
        PartTime evaluations = times[(int)ProfilePart.Evaluation];
        return new StepProfile(
            steps.ForwardCalls,
            steps.Forward.TotalSeconds,
            [.. times.Where(t => t.Part < ProfilePart.Step).Select(t => new ProfiledPart(t.Part.ToString().ToLowerInvariant(), t.Forward.TotalSeconds, t.Backward.TotalSeconds, t.ForwardCalls + t.BackwardCalls))],
            evaluations.ForwardCalls,
            evaluations.Forward.TotalSeconds);
#else
        return new StepProfile(0, 0, [], 0, 0);
#endif
    }
}
