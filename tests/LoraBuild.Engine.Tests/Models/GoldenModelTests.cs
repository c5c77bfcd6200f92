// Every golden model gives what transformers gives: hidden states, logits, losses, packing, greedy text.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class GoldenModelTests
{
    // Tolerances of golden/README.md: fp32 on another kernel moves logits by up to 2e-5.
    private const double LogitTolerance = 1e-4;
    private const double HiddenTolerance = 5e-5;
    private const double LossTolerance = 1e-5;

    internal static readonly string[] Names =
    [
        "gemma2", "gemma3-mm", "gemma3-text", "gemma3-text-bf16", "gemma3-text-linear", "granite", "llama-biases", "llama-fp16", "llama-sharded",
        "llama-tied", "llama-untied-rope3", "mistral-swa", "olmo2", "phi3", "phi3-longrope", "qwen2-bf16", "qwen2-swa-yarn", "qwen2-tied", "qwen3",
    ];

    public static TheoryData<string, string> NamesAndConfigs()
    {
        TheoryData<string, string> data = [];
        foreach (string name in Names)
        {
            data.Add(name, "config.json");
            data.Add(name, "config.v4.json");
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(NamesAndConfigs))]
    public void Hidden_states_and_logits_equal_the_reference(string name, string config)
    {
        using TemporaryDirectory directory = Golden.ModelWithConfig(name, config);
        using CausalLM model = CausalLM.Load(directory.Path, new LoadOptions());
        AssertOutputs(model, Golden.Model(name), LogitTolerance, HiddenTolerance);
    }

    [Theory]
    [InlineData("gemma3-mm-hubkeys")]
    [InlineData("gemma3-mm-modulekeys")]
    public void Other_key_names_of_a_multimodal_model_give_the_same_outputs(string name)
    {
        using CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions());
        AssertOutputs(model, Golden.Model("gemma3-mm"), LogitTolerance, HiddenTolerance);
    }

    [Theory]
    [MemberData(nameof(NamesAndConfigs))]
    public void Packed_documents_give_what_each_gives_alone(string name, string config)
    {
        using TemporaryDirectory directory = Golden.ModelWithConfig(name, config);
        using CausalLM model = CausalLM.Load(directory.Path, new LoadOptions());
        using GoldenTensors golden = new(Path.Combine(Golden.Model(name), "golden.safetensors"));
        long[] sequence = golden.Integers("packed_sequence_index");
        int[] starts = [.. Enumerable.Range(0, sequence.Length + 1).Where(i => i == 0 || i == sequence.Length || sequence[i] != sequence[i - 1])];
        using var noGrad = no_grad();
        using PackedBatch batch = PackedBatch.Create(golden.Integers("packed_input_ids"), golden.Integers("packed_position_ids"), starts);
        using Tensor hidden = model.HiddenStates(batch);
        using Tensor logits = model.Logits(hidden);
        golden.AssertClose("packed_hidden_final", hidden, HiddenTolerance);
        golden.AssertClose("packed_logits", logits, LogitTolerance);
    }

    [Theory]
    [MemberData(nameof(NamesAndConfigs))]
    public void Greedy_text_equals_the_reference(string name, string config)
    {
        using TemporaryDirectory directory = Golden.ModelWithConfig(name, config);
        using CausalLM model = CausalLM.Load(directory.Path, new LoadOptions());
        JsonObject greedy = Json(name)["greedy"]!.AsObject();
        int[] expected = Ints(greedy["new_tokens"]!);
        int[] tokens = TextGenerator.Generate(model, Ints(greedy["prompt"]!), new GenerationOptions { MaxNewTokens = expected.Length });
        Assert.Equal(expected, tokens);
    }

    [Theory]
    [InlineData("qwen2-bf16")]
    [InlineData("gemma3-text-bf16")]
    public void Arithmetic_in_bf16_differs_from_the_reference_about_as_much_as_bf16_from_fp32(string name)
    {
        using CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions { Dtype = ScalarType.BFloat16 });
        using GoldenTensors golden = new(Path.Combine(Golden.Model(name), "golden.safetensors"));
        double rounding = Json(name)["native"]!["logits_max_abs_difference_to_fp32_compute"]!.GetValue<double>();
        using var noGrad = no_grad();
        using PaddedBatch batch = golden.Batch();
        using Tensor hidden = model.HiddenStates(batch.Packed);
        using Tensor logits = model.Logits(hidden);
        using Tensor padded = batch.Scatter(logits);
        Assert.Equal(ScalarType.BFloat16, hidden.dtype);
        // golden/README.md: a difference of that order; another order of bf16 sums moves logits as far again.
        golden.AssertClose("logits_native", padded, golden.Integers("attention_mask"), 2 * rounding);
    }

    private static void AssertOutputs(CausalLM model, string goldenDirectory, double logitTolerance, double hiddenTolerance)
    {
        using GoldenTensors golden = new(Path.Combine(goldenDirectory, "golden.safetensors"));
        long[] mask = golden.Integers("attention_mask");
        using var noGrad = no_grad();
        using PaddedBatch batch = golden.Batch();
        void Compare(string name, Tensor packed, double tolerance)
        {
            using Tensor padded = batch.Scatter(packed);
            golden.AssertClose(name, padded, mask, tolerance);
        }

        using Tensor hidden = model.HiddenStates(batch.Packed, (index, state) =>
        {
            if (index < 2)
                Compare(index == 0 ? "hidden_embed" : "hidden_layer0", state, hiddenTolerance);
        });
        using Tensor logits = model.Logits(hidden);
        Compare("hidden_final", hidden, hiddenTolerance);
        Compare("logits", logits, logitTolerance);
        using Tensor paddedLogits = batch.Scatter(logits);
        AssertLosses(golden, TensorTypes.ToFloat32Array(paddedLogits), JsonNode.Parse(File.ReadAllText(Path.Combine(goldenDirectory, "golden.json")))!["batch"]!);
    }

    /// <summary>−log p(labels[:, t + 1]) by a log-softmax in fp64, so that only the logits can be wrong.</summary>
    private static void AssertLosses(GoldenTensors golden, float[] logits, JsonNode batch)
    {
        long[] labels = golden.Integers("labels");
        long[] shape = golden.Shape("labels");
        int vocabulary = logits.Length / labels.Length;
        float[] expected = golden.Floats("token_nll");
        double sum = 0;
        int count = 0;
        for (int row = 0; row < shape[0]; row++)
        {
            for (int t = 0; t + 1 < shape[1]; t++)
            {
                long label = labels[(row * shape[1]) + t + 1];
                if (label == -100)
                    continue;
                ReadOnlySpan<float> scores = logits.AsSpan((int)((row * shape[1]) + t) * vocabulary, vocabulary);
                double largest = double.NegativeInfinity;
                foreach (float score in scores)
                    largest = Math.Max(largest, score);
                double total = 0;
                foreach (float score in scores)
                    total += Math.Exp(score - largest);
                double loss = largest + Math.Log(total) - scores[(int)label];
                Assert.Equal(expected[(row * (shape[1] - 1)) + t], loss, LogitTolerance);
                sum += loss;
                count++;
            }
        }

        Assert.Equal(batch["loss_token_count"]!.GetValue<int>(), count);
        Assert.Equal(batch["mean_loss"]!.GetValue<double>(), sum / count, LossTolerance);
        double perplexity = batch["perplexity"]!.GetValue<double>();
        Assert.Equal(perplexity, Math.Exp(sum / count), perplexity * 1e-5);
    }

    private static JsonObject Json(string name) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Model(name), "golden.json")))!.AsObject();

    private static int[] Ints(JsonNode node) => [.. node.AsArray().Select(n => n!.GetValue<int>())];
}
