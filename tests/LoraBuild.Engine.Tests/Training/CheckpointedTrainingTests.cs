// Training with recomputed layers: the same files at the end, less memory on the way.
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class CheckpointedTrainingTests
{
    private static readonly TrainOptions Checkpointed = TinyRun.Options with { GradientCheckpointing = true, NeftuneNoiseAlpha = 5 };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_result_has_the_bytes_of_a_run_without(bool isOffloaded)
    {
        using TemporaryDirectory plain = new();
        using TemporaryDirectory recomputed = new();
        TinyRun.Run(plain.Path, Checkpointed with { GradientCheckpointing = false }, new RecordingObserver());
        bool hadScratchFile = false;
        File.WriteAllText(Path.Combine(recomputed.Path, "activations.scratch"), "left by a kill");
        RecordingObserver observer = new() { OnStep = _ => hadScratchFile |= File.Exists(Path.Combine(recomputed.Path, "activations.scratch")) };
        TinyRun.Run(recomputed.Path, Checkpointed with { ActivationOffloading = isOffloaded }, observer);
        Assert.Equal(TinyRun.Files(Path.Combine(plain.Path, "adapter")), TinyRun.Files(Path.Combine(recomputed.Path, "adapter")));
        Assert.Equal(isOffloaded, hadScratchFile);
        Assert.False(File.Exists(Path.Combine(recomputed.Path, "activations.scratch")));
    }

    [Fact]
    public void Checkpoints_of_a_run_without_are_gone_on_from()
    {
        using TemporaryDirectory plain = new();
        using TemporaryDirectory changed = new();
        TrainOptions options = Checkpointed with { GradientCheckpointing = false };
        TinyRun.Run(plain.Path, options, new RecordingObserver());
        using CancellationTokenSource source = new();
        TinyRun.Run(changed.Path, options, new RecordingObserver { OnStep = s => CancelAt(3, s.Step, source) }, cancellation: source.Token);
        RecordingObserver observer = new();
        TinyRun.Run(changed.Path, Checkpointed, observer);
        Assert.Equal(4, observer.Steps[0].Step);
        Assert.Equal(TinyRun.Files(Path.Combine(plain.Path, "adapter")), TinyRun.Files(Path.Combine(changed.Path, "adapter")));
    }

    [Fact]
    public void Full_fine_tuning_of_a_tied_model_ends_with_the_same_bytes()
    {
        using TemporaryDirectory plain = new();
        using TemporaryDirectory recomputed = new();
        TinyRun.RunFull(plain.Path, TinyRun.Options with { LearningRate = 1e-4 }, new RecordingObserver());
        TinyRun.RunFull(recomputed.Path, TinyRun.Options with { LearningRate = 1e-4, GradientCheckpointing = true }, new RecordingObserver());
        Assert.Equal(TinyRun.Files(Path.Combine(plain.Path, "model")), TinyRun.Files(Path.Combine(recomputed.Path, "model")));
    }

    private static void CancelAt(int step, int now, CancellationTokenSource source)
    {
        if (now == step)
            source.Cancel();
    }
}

/// <summary>Measures the memory of the whole process, so nothing may run beside it.</summary>
[Collection(nameof(RunsAlone))]
public sealed class CheckpointedMemoryTests
{
    [PeakMemoryTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_peak_of_a_step_is_a_fraction_of_what_the_whole_graph_needs(bool isOffloaded)
    {
        using DeepModel deep = new(layers: 16, width: 128, intermediate: 512);
        using CausalLM model = CausalLM.Load(deep.Path, new LoadOptions { RandomWeights = true });
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, TargetModules = ["q_proj", "down_proj"], Seed = 3 });
        TrainOptions options = new() { MaxSteps = 2, BatchSize = 16, AccumulationSteps = 1, Shuffle = false };
        long whole = Peak(options);
        long recomputed = Peak(options with { GradientCheckpointing = true, ActivationOffloading = isOffloaded });

        // 16 layers: the graph of one and the inputs of all are well below a third of the graphs of all.
        Assert.True(recomputed * 3 < whole, $"{recomputed / 1e6:F1} MB, the whole graph {whole / 1e6:F1} MB");

        long Peak(TrainOptions options)
        {
            using TemporaryDirectory output = new();
            return PeakMemory.Of(() => Trainer.Run(model, adapter, Documents.Random(16, 256, 256, DeepModel.VocabSize, 4), null, options, output.Path, new RecordingObserver()));
        }
    }
}
