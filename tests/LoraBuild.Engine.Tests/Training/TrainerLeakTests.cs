// A step leaves nothing behind.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training;

/// <summary>Counts live tensors of the whole process, so nothing may run beside it.</summary>
[Collection(nameof(RunsAlone))]
public sealed class TrainerLeakTests
{
    [Fact]
    public void The_number_of_live_tensors_does_not_grow_from_step_to_step()
    {
        using TemporaryDirectory output = new();
        List<long> live = [];
        TinyRun.Run(output.Path, TinyRun.Options with { EvalSteps = 1, SaveSteps = 1 }, new RecordingObserver { OnStep = _ => live.Add(Tensor.TotalCount) });
        // Gradients and masks come with the first steps. A collection may take away what was set up before them, so the number may fall.
        long[] later = [.. live.Skip(3)];
        Assert.True(later.Length > 3);
        Assert.Equal(later.OrderDescending(), later);
    }
}

[CollectionDefinition(nameof(RunsAlone), DisableParallelization = true)]
public sealed class RunsAlone;
