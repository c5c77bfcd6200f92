// What the clocks of the kernels count: steps, and nothing that runs between them.
#if NATIVE_KERNELS
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

/// <summary>The counters are the process's, so nothing may run beside it.</summary>
[Collection(nameof(RunsAlone))]
public sealed class StepProfileTests
{
    private const int StepCount = 8;
    private const double RoundingOfTicks = 1e-5; // twenty counters of 100 ns

    [Fact]
    public void Evaluations_sample_answers_and_checkpoints_are_in_no_part_of_a_step()
    {
        StepProfile plain = Profile(TinyRun.Options with { EvalSteps = 0, SaveSteps = 0, LoadBestModelAtEnd = false }, hasEvaluation: false);
        StepProfile busy = Profile(TinyRun.Options with { EvalSteps = 1, SaveSteps = 1, EvalOnStart = true }, hasEvaluation: true);
        Assert.Equal((StepCount, StepCount), (plain.Steps, busy.Steps));
        Assert.Contains(plain.Parts, p => p is { Part: "linear", Calls: > 0 });
        Assert.Equal(plain.Parts.Select(p => (p.Part, p.Calls)), busy.Parts.Select(p => (p.Part, p.Calls)));
        Assert.Equal((0, StepCount + 1), (plain.Evaluations, busy.Evaluations));
        Assert.Equal(0, plain.EvaluationSeconds);
        Assert.True(busy.EvaluationSeconds > 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_parts_add_up_to_the_steps(bool hasEvaluation)
    {
        StepProfile profile = Profile(TinyRun.Options with { EvalSteps = 1 }, hasEvaluation);
        Assert.True(profile.Seconds > 0);
        Assert.Equal(profile.Seconds, profile.Parts.Sum(p => p.Seconds), RoundingOfTicks);
    }

    private static StepProfile Profile(TrainOptions options, bool hasEvaluation)
    {
        using TemporaryDirectory output = new();
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, TargetModules = ["q_proj", "v_proj"], Seed = 3 });
        RecordingObserver observer = new() { OnEvaluation = _ => TextGenerator.Generate(model, [1, 2, 3], new GenerationOptions { MaxNewTokens = 3 }) };
        StepProfile.Start();
        Trainer.Run(model, adapter, TinyRun.Train, hasEvaluation ? TinyRun.Evaluation : null, options, output.Path, observer);
        return StepProfile.Stop();
    }
}
#endif
