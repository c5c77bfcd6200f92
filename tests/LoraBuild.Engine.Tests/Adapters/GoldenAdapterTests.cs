// Golden PEFT adapters load, compute, merge and save as PEFT's own.
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Adapters;

public sealed class GoldenAdapterTests
{
    // Tolerances of golden/README.md §2.
    private const double EvalLogitTolerance = 2e-4;
    private const double GradientTolerance = 1e-5;
    private const double MergedTolerance = 1e-5;

    private static readonly string[] Runs =
    [
        "gemma3-text-all7-r4", "gemma3-text-qkv-r8", "llama-tied-all7-r8-dora", "llama-tied-embed-head-r4-kept-tied", "llama-tied-embed-head-r4-untied", "llama-tied-qkv-r4",
        "llama-tied-qkvog-r16", "llama-untied-embed-head-r4", "mistral-qkvog-r16", "phi3-all-r4", "phi3-qkv-r8", "qwen2-all7-r4-rslora", "qwen2-qkv-r64", "qwen2-qkvo-r8-dora",
    ];

    public static TheoryData<string> AllRuns() => [.. Runs];

    public static TheoryData<string> RunsWithGradients() => RunsWith("grads_step1.safetensors");

    public static TheoryData<string> RunsWithMergedWeights() => RunsWith("merged.safetensors");

    [Theory]
    [MemberData(nameof(AllRuns))]
    public void Logits_before_and_after_training_equal_the_reference(string run)
    {
        using CausalLM model = LoadBase(run);
        using GoldenTensors golden = new(Path.Combine(Golden.Lora(run), "golden.safetensors"));
        foreach ((string adapterName, string logitsName) in new[] { ("adapter_init", "eval_logits_before"), ("adapter_final", "eval_logits_after") })
        {
            using LoraAdapter adapter = LoraAdapter.Load(model, Path.Combine(Golden.Lora(run), adapterName), isTrainable: false);
            AssertEvalLogits(model, run, golden, logitsName);
        }
    }

    [Theory]
    [MemberData(nameof(AllRuns))]
    public void An_adapter_that_is_loaded_and_saved_has_the_same_bytes(string run)
    {
        using CausalLM model = LoadBase(run);
        using TemporaryDirectory directory = new();
        string original = Path.Combine(Golden.Lora(run), "adapter_final");
        using (LoraAdapter adapter = LoraAdapter.Load(model, original, isTrainable: true))
            adapter.Save(directory.Path);
        Assert.Equal(File.ReadAllBytes(Path.Combine(original, PeftAdapterFiles.WeightsFileName)), File.ReadAllBytes(Path.Combine(directory.Path, PeftAdapterFiles.WeightsFileName)));
        JsonNode before = JsonNode.Parse(File.ReadAllText(Path.Combine(original, PeftAdapterConfig.FileName)))!;
        JsonNode after = JsonNode.Parse(File.ReadAllText(Path.Combine(directory.Path, PeftAdapterConfig.FileName)))!;
        Assert.True(JsonNode.DeepEquals(before, after), after.ToJsonString());
    }

    [Theory]
    [MemberData(nameof(RunsWithGradients))]
    public void Gradients_of_the_first_step_equal_the_reference(string run)
    {
        using CausalLM model = LoadBase(run);
        using LoraAdapter adapter = LoraAdapter.Load(model, Path.Combine(Golden.Lora(run), "adapter_init"), isTrainable: true);
        FirstStep.Backward(model, run);
        using GoldenTensors expected = new(Path.Combine(Golden.Lora(run), "grads_step1.safetensors"));
        Dictionary<string, Tensor> parameters = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Value);
        foreach (string name in expected.Names)
        {
            // A tie that is kept is one parameter, whose gradient may stand under the other name too.
            if (!parameters.TryGetValue(name, out Tensor? parameter))
            {
                Assert.EndsWith("lm_head.weight", name, StringComparison.Ordinal);
                continue;
            }

            using Tensor gradient = parameter.grad!;
            expected.AssertClose(name, gradient, GradientTolerance);
        }
    }

    [Theory]
    [MemberData(nameof(RunsWithMergedWeights))]
    public void Merged_weights_equal_the_reference_and_compute_what_the_adapter_computes(string run)
    {
        using CausalLM model = LoadBase(run);
        using LoraAdapter adapter = LoraAdapter.Load(model, Path.Combine(Golden.Lora(run), "adapter_final"), isTrainable: false);
        using GoldenTensors merged = new(Path.Combine(Golden.Lora(run), "merged.safetensors"));
        int compared = 0;
        foreach (LoraLinear module in adapter.Modules)
        {
            using Tensor weight = adapter.MergedWeight(module);
            LinearLayer linear = model.LinearModules.Single(l => l.Path == module.Target.Path);
            using Tensor x = randn([3, linear.InFeatures], dtype: ScalarType.Float32, generator: new Generator(1));
            using Tensor byAdapter = linear.Forward(x);
            using Tensor byWeight = nn.functional.linear(x, weight, linear.Bias);
            double difference = GoldenTensors.LargestDifference(TensorTypes.ToFloat32Array(byWeight), TensorTypes.ToFloat32Array(byAdapter));
            Assert.True(difference < 1e-4, $"{module.Target.Path}: {difference}");
            if (!merged.Names.Contains($"{module.Target.Path}.weight"))
                continue;
            merged.AssertClose($"{module.Target.Path}.weight", weight, MergedTolerance);
            compared++;
        }

        Assert.True(compared > 0);
    }

    [Fact]
    public void A_disabled_adapter_leaves_the_base_model_as_it_is()
    {
        const string Run = "llama-tied-embed-head-r4-untied";
        using CausalLM model = LoadBase(Run);
        float[] before = EvalLogits(model, Run);
        using (LoraAdapter adapter = LoraAdapter.Load(model, Path.Combine(Golden.Lora(Run), "adapter_final"), isTrainable: false))
        {
            Assert.NotEqual(before, EvalLogits(model, Run));
            adapter.IsEnabled = false;
            Assert.Equal(before, EvalLogits(model, Run));
        }

        Assert.Equal(before, EvalLogits(model, Run));
    }

    private static TheoryData<string> RunsWith(string file) => [.. Runs.Where(r => File.Exists(Path.Combine(Golden.Lora(r), file)))];

    private static CausalLM LoadBase(string run)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Lora(run), "run.json")))!;
        return CausalLM.Load(Golden.Model(Path.GetFileName(json["model"]!.GetValue<string>())), new LoadOptions());
    }

    private static float[] EvalLogits(CausalLM model, string run)
    {
        using GoldenTensors batches = new(Path.Combine(Golden.Lora(run), "batches.safetensors"));
        using var noGrad = no_grad();
        using PaddedBatch batch = batches.Batch("eval.");
        using Tensor hidden = model.HiddenStates(batch.Packed);
        using Tensor logits = model.Logits(hidden);
        return TensorTypes.ToFloat32Array(logits);
    }

    private static void AssertEvalLogits(CausalLM model, string run, GoldenTensors golden, string name)
    {
        using GoldenTensors batches = new(Path.Combine(Golden.Lora(run), "batches.safetensors"));
        using var noGrad = no_grad();
        using PaddedBatch batch = batches.Batch("eval.");
        using Tensor hidden = model.HiddenStates(batch.Packed);
        using Tensor logits = model.Logits(hidden);
        using Tensor padded = batch.Scatter(logits);
        golden.AssertClose(name, padded, batches.Integers("eval.attention_mask"), EvalLogitTolerance);
    }
}
