// Whole runs with 8-bit and paged state: the same bytes as without paging, interrupted or not, and nothing left behind.
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Optimizers;

namespace LoraBuild.Engine.Tests.Training;

public sealed class PagedRunTests
{
    private static readonly TrainOptions Options = TinyRun.Options with { LearningRate = 1e-4 };

    [Theory]
    [InlineData(OptimizerKind.AdamW)]
    [InlineData(OptimizerKind.AdamW8Bit)]
    public void Paging_changes_no_byte_of_model_and_checkpoints_even_when_interrupted(OptimizerKind kind)
    {
        using TemporaryDirectory plain = new();
        using TemporaryDirectory paged = new();
        TrainOptions options = Options with { Optimizer = kind };
        TinyRun.RunFull(plain.Path, options, new RecordingObserver());

        using CancellationTokenSource source = new();
        string state = Path.Combine(paged.Path, "optimizer-state.paged");
        RecordingObserver cancelling = new()
        {
            OnStep = s =>
            {
                Assert.True(new FileInfo(state).Length > 0);
                if (s.Step == 5)
                    source.Cancel();
            },
        };
        TinyRun.RunFull(paged.Path, options with { IsStatePaged = true, ResidentStateBytes = 10_000 }, cancelling, source.Token);
        Assert.False(File.Exists(state));
        TinyRun.RunFull(paged.Path, options with { IsStatePaged = true }, new RecordingObserver()); // another budget goes on
        Assert.False(File.Exists(state));
        Assert.Equal(TinyRun.Files(Path.Combine(plain.Path, "model")), TinyRun.Files(Path.Combine(paged.Path, "model")));
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(plain.Path, "checkpoints", "step-8", "optimizer.safetensors")),
            File.ReadAllBytes(Path.Combine(paged.Path, "checkpoints", "step-8", "optimizer.safetensors")));
    }

    [Fact]
    public void The_state_of_8_bits_is_a_quarter_of_that_of_32()
    {
        using TemporaryDirectory wide = new();
        using TemporaryDirectory narrow = new();
        TinyRun.RunFull(wide.Path, Options with { MaxSteps = 1 }, new RecordingObserver());
        TinyRun.RunFull(narrow.Path, Options with { MaxSteps = 1, Optimizer = OptimizerKind.AdamW8Bit }, new RecordingObserver());
        long Size(TemporaryDirectory d) => new FileInfo(Path.Combine(d.Path, "checkpoints", "step-1", "optimizer.safetensors")).Length;
        Assert.InRange((double)Size(narrow) / Size(wide), 0.2, 0.5); // small matrices stay fp32
    }

    [Fact]
    public void What_a_killed_run_left_goes_with_the_next_one_paged_or_not()
    {
        using TemporaryDirectory directory = new();
        string state = Path.Combine(directory.Path, "optimizer-state.paged");
        File.WriteAllText(state, "stale");
        TinyRun.RunFull(directory.Path, Options with { MaxSteps = 1 }, new RecordingObserver());
        Assert.False(File.Exists(state));
    }
}
