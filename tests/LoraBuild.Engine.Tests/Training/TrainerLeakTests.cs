// A step leaves nothing behind.
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training;

/// <summary>Counts live tensors of the whole process, so nothing may run beside it.</summary>
[Collection(nameof(RunsAlone))]
public sealed class TrainerLeakTests
{
    private const long NoCollectionBytes = 200 << 20;

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void As_many_live_after_a_run_as_before(bool isFull, bool isRecomputing)
    {
        using TemporaryDirectory output = new();
        Collect(); // what earlier tests forgot
        long before = Tensor.TotalCount;
        Assert.True(GC.TryStartNoGCRegion(NoCollectionBytes), "a collection would hide what is forgotten");
        TrainOptions options = TinyRun.Options with { NeftuneNoiseAlpha = 5, GradientCheckpointing = isRecomputing, LearningRate = 1e-4 };
        _ = isFull ? TinyRun.RunFull(output.Path, options, new RecordingObserver()) : TinyRun.Run(output.Path, options, new RecordingObserver());
        long after = Tensor.TotalCount;
        Assert.Equal(System.Runtime.GCLatencyMode.NoGCRegion, System.Runtime.GCSettings.LatencyMode);
        GC.EndNoGCRegion();
        Assert.Equal(before, after);
    }

    [Fact]
    public void The_number_of_live_tensors_does_not_grow_from_step_to_step()
    {
        using TemporaryDirectory output = new();
        List<long> live = [];
        TinyRun.Run(output.Path, TinyRun.Options with { EvalSteps = 1, SaveSteps = 1 }, new RecordingObserver { OnStep = _ => live.Add(Tensor.TotalCount) });
        // Gradients and masks come with the first steps.
        long[] later = [.. live.Skip(3)];
        Assert.True(later.Length > 3);
        Assert.All(later, count => Assert.Equal(later[0], count));
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}

[CollectionDefinition(nameof(RunsAlone), DisableParallelization = true)]
public sealed class RunsAlone;
