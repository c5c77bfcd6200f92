// Whole training runs against transformers and PEFT: every step's numbers, the final weights, the logits after. Tolerances: golden/README.md §2.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training;

public sealed class GoldenRunTests
{
    private const double LossTolerance = 2e-5;
    private const double GradNormRelativeTolerance = 2e-5;
    private const double RateRelativeTolerance = 1e-6;
    private const double WeightTolerance = 5e-5;
    private const double LogitTolerance = 2e-4;
    private const double GradientTolerance = 1e-5;
    private const double MergedTolerance = 1e-5;

    private static readonly string[] Runs =
    [
        "gemma3-text-all7-r4", "gemma3-text-qkv-r8", "llama-tied-all7-r8-dora", "llama-tied-embed-head-r4-kept-tied", "llama-tied-embed-head-r4-untied",
        "llama-tied-qkv-r4", "llama-tied-qkvog-r16", "llama-untied-embed-head-r4", "mistral-qkvog-r16", "phi3-all-r4", "phi3-qkv-r8",
        "qwen2-all7-r4-rslora", "qwen2-qkv-r64", "qwen2-qkvo-r8-dora",
    ];

    public static TheoryData<string> AdapterRuns() => [.. Runs];

    public static TheoryData<string> RunsWithGradients() =>
        [.. Runs.Append("llama-tied-full").Where(r => File.Exists(Path.Combine(Golden.Lora(r), "grads_step1.safetensors")))];

    [Theory]
    [MemberData(nameof(AdapterRuns))]
    public void An_adapter_is_trained_as_PEFT_trains_it(string name) => IsTrainedAsByPeft(new GoldenRun(name), options => options);

    [Fact]
    public void So_it_is_with_layers_that_are_computed_again_from_inputs_in_a_file() =>
        IsTrainedAsByPeft(new GoldenRun("gemma3-text-all7-r4"), options => options with { GradientCheckpointing = true, ActivationOffloading = true });

    private static void IsTrainedAsByPeft(GoldenRun run, Func<TrainOptions, TrainOptions> change)
    {
        using TemporaryDirectory output = new();
        using CausalLM model = CausalLM.Load(run.ModelDirectory, new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Load(model, run.InitialAdapter!, isTrainable: true);
        Assert.Equal(run.EvalLossBefore, PerplexityEvaluator.Evaluate(model, run.Evaluation, 1024).Loss, 2e-5);

        RecordingObserver observer = new();
        TrainingResult result = Trainer.Run(model, adapter, run.Train, run.Evaluation, change(run.Options), output.Path, observer);

        SameSteps(run, observer);
        Assert.Equal((run.TrainableParameters, run.AllParameters), (observer.Start!.TrainableParameters, observer.Start.AllParameters));
        SameTensors(Path.Combine(run.Directory, "adapter_final", "adapter_model.safetensors"), Path.Combine(result.OutputDirectory!, "adapter_model.safetensors"));
        SameMerged(run, model, adapter);
        SameLogits(run, model);
        Assert.Equal(run.EvalLossAfter, PerplexityEvaluator.Evaluate(model, run.Evaluation, 1024).Loss, 2e-5);
    }

    [Fact]
    public void All_weights_are_trained_as_transformers_trains_them()
    {
        GoldenRun run = new("llama-tied-full");
        using TemporaryDirectory output = new();
        using CausalLM model = CausalLM.Load(run.ModelDirectory, new LoadOptions { RequiresGrad = true });
        RecordingObserver observer = new();
        TrainingResult result = Trainer.Run(model, null, run.Train, run.Evaluation, run.Options, output.Path, observer);

        SameSteps(run, observer);
        Assert.Equal((run.TrainableParameters, run.AllParameters), (observer.Start!.TrainableParameters, observer.Start.AllParameters));
        SameTensors(Path.Combine(run.Directory, "model_final.safetensors"), Path.Combine(result.OutputDirectory!, CausalLM.WeightsFileName));
        SameLogits(run, model);
    }

    [Theory]
    [MemberData(nameof(RunsWithGradients))]
    public void The_first_step_has_the_gradients_of_the_reference(string name)
    {
        GoldenRun run = new(name);
        using CausalLM model = CausalLM.Load(run.ModelDirectory, new LoadOptions { RequiresGrad = run.InitialAdapter is null });
        using LoraAdapter? adapter = run.InitialAdapter is null ? null : LoraAdapter.Load(model, run.InitialAdapter, isTrainable: true);
        MicroBatch[] batches = [.. BatchPlan.Create([.. Enumerable.Range(0, run.Train.Count).Select(i => run.Train[i].Length)], run.Options).MicroBatchesOf(0).Select(d => MicroBatch.Create(run.Train, d))];
        foreach (MicroBatch batch in batches)
        {
            using PackedBatch packed = batch.ToPacked(model.Device);
            using Tensor hidden = model.HiddenStates(packed);
            CausalLMLoss.Backward(model, hidden, batch, 1.0 / batches.Sum(b => b.TargetCount));
        }

        using GoldenTensors expected = new(Path.Combine(run.Directory, "grads_step1.safetensors"));
        Dictionary<string, Tensor> parameters = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Value);
        string[] tied = [.. expected.Names.Except(parameters.Keys)]; // a tie that is kept is one parameter, listed under the other name
        Assert.All(tied, n => Assert.EndsWith("lm_head.weight", n, StringComparison.Ordinal));
        Assert.Equal(parameters.Count, expected.Names.Count() - tied.Length);
        foreach ((string parameter, Tensor value) in parameters)
        {
            using Tensor gradient = value.grad!;
            expected.AssertClose(parameter, gradient, GradientTolerance);
        }
    }

    private static void SameMerged(GoldenRun run, CausalLM model, LoraAdapter adapter)
    {
        string file = Path.Combine(run.Directory, "merged.safetensors");
        if (!File.Exists(file))
            return; // what a run without low-rank updates leaves is compared whole
        using GoldenTensors expected = new(file);
        foreach (string name in expected.Names)
        {
            string path = name[..^".weight".Length];
            using Tensor weight = adapter.Modules.SingleOrDefault(m => m.Target.Path == path) is { } module
                ? adapter.MergedWeight(module)
                : path == model.Embedding.Path ? model.Embedding.Matrix.Plain!.alias() : model.Head.Weight.alias();
            expected.AssertClose(name, weight, MergedTolerance);
        }
    }

    private static void SameSteps(GoldenRun run, RecordingObserver observer)
    {
        Assert.Equal(run.Steps.Count, observer.Steps.Count);
        for (int i = 0; i < run.Steps.Count; i++)
        {
            (GoldenStep expected, StepMetrics actual) = (run.Steps[i], observer.Steps[i]);
            Assert.Equal(i + 1, actual.Step);
            Assert.Equal(expected.Loss, actual.Loss, LossTolerance);
            Assert.Equal(expected.GradNorm, actual.GradNorm, expected.GradNorm * GradNormRelativeTolerance);
            Assert.Equal(expected.LearningRate, actual.LearningRate, expected.LearningRate * RateRelativeTolerance);
        }
    }

    private static void SameTensors(string expectedPath, string actualPath)
    {
        using SafetensorsFile expected = SafetensorsFile.Open(expectedPath);
        using SafetensorsFile actual = SafetensorsFile.Open(actualPath);
        Assert.Equal(expected.Tensors.Keys.Order(StringComparer.Ordinal), actual.Tensors.Keys.Order(StringComparer.Ordinal));
        foreach (string name in expected.Tensors.Keys)
        {
            Assert.Equal(expected.Tensors[name].Shape, actual.Tensors[name].Shape);
            float[] a = expected.ReadFloat32(name);
            float[] b = actual.ReadFloat32(name);
            double largest = GoldenTensors.LargestDifference(a, b);
            Assert.True(largest <= WeightTolerance, $"{name} differs by {largest}");
        }
    }

    private static void SameLogits(GoldenRun run, CausalLM model)
    {
        using SafetensorsFile golden = run.OpenExpected();
        long[] shape = golden.Tensors["eval_logits_after"].Shape; // [rows, T, vocab]
        float[] expected = golden.ReadFloat32("eval_logits_after");
        for (int row = 0; row < run.Evaluation.Count; row++)
        {
            using DisposeScope scope = NewDisposeScope();
            using IDisposable noGrad = no_grad();
            using PackedBatch packed = PackedBatch.FromDocuments([run.Evaluation[row].InputIds]);
            float[] logits = model.Logits(model.HiddenStates(packed)).data<float>().ToArray();
            int start = row * (int)(shape[1] * shape[2]);
            for (int i = 0; i < logits.Length; i++)
                Assert.Equal(expected[start + i], logits[i], LogitTolerance);
        }
    }
}
