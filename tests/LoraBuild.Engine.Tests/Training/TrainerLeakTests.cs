// A step leaves nothing behind.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training;

/// <summary>Counts live tensors of the whole process, so nothing may run beside it.</summary>
[Collection(nameof(RunsAlone))]
public sealed class TrainerLeakTests
{
    [Fact]
    public void The_number_of_live_tensors_is_the_same_after_every_step()
    {
        using TemporaryDirectory output = new();
        List<long> live = [];
        // What earlier tests forgot must not go away in the middle of the count.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        TinyRun.Run(output.Path, TinyRun.Options with { EvalSteps = 1, SaveSteps = 1 }, new RecordingObserver { OnStep = _ => live.Add(Tensor.TotalCount) });
        // Gradients and masks come with the first steps.
        Assert.Single(live.Skip(3).Distinct());
    }
}

[CollectionDefinition(nameof(RunsAlone), DisableParallelization = true)]
public sealed class RunsAlone;
