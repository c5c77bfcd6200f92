// The reference data tells every configuration mistake apart: made on purpose, each moves the logits by just the amount that the reference implementation saw.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class ConfigurationMistakeTests
{
    private static readonly Dictionary<(string Model, string Mistake), Action<JsonObject>> Mistakes = new()
    {
        [("gemma2", "no attention softcap")] = c => c["attn_logit_softcapping"] = null,
        [("gemma2", "no final softcap")] = c => c["final_logit_softcapping"] = null,
        [("gemma2", "query_pre_attn_scalar = head_dim")] = c => c["query_pre_attn_scalar"] = c["head_dim"]!.DeepClone(),
        [("gemma2", "no sliding window")] = c => Layers(c, "F"),
        [("gemma2", "alternation starts with full attention")] = c => Layers(c, "FS"),
        [("gemma2", "exact gelu")] = c => c["hidden_activation"] = "gelu",
        [("gemma3-mm", "linear scaling ignored")] = c => Rope(c, "full_attention")["rope_type"] = "default",
        [("gemma3-mm", "no sliding window")] = NoWindowButLocalRope,
        [("gemma3-text", "query_pre_attn_scalar = head_dim")] = c => c["query_pre_attn_scalar"] = c["head_dim"]!.DeepClone(),
        [("gemma3-text", "no sliding window")] = NoWindowButLocalRope,
        [("gemma3-text", "window off by one (7)")] = c => c["sliding_window"] = 7,
        [("gemma3-text", "global theta on the sliding layers too")] = c => Rope(c, "sliding_attention")["rope_theta"] = Rope(c, "full_attention")["rope_theta"]!.DeepClone(),
        [("gemma3-text", "local theta on the global layer too")] = c => Rope(c, "full_attention")["rope_theta"] = Rope(c, "sliding_attention")["rope_theta"]!.DeepClone(),
        [("gemma3-text", "global layer one too early")] = c => Layers(c, "SSSSFSS"),
        [("gemma3-text", "exact gelu")] = c => c["hidden_activation"] = "gelu",
        [("gemma3-text-linear", "linear scaling ignored")] = c => Rope(c, "full_attention")["rope_type"] = "default",
        [("gemma3-text-linear", "no final softcap")] = c => c["final_logit_softcapping"] = null,
        [("granite", "attention_multiplier ignored (1/sqrt(head_dim))")] = c => c["attention_multiplier"] = 1 / Math.Sqrt((int?)c["head_dim"] ?? ((int)c["hidden_size"]! / (int)c["num_attention_heads"]!)),
        [("granite", "embedding_multiplier ignored")] = c => c["embedding_multiplier"] = 1.0,
        [("granite", "residual_multiplier ignored")] = c => c["residual_multiplier"] = 1.0,
        [("granite", "logits_scaling ignored")] = c => c["logits_scaling"] = 1.0,
        [("llama-biases", "rope_scaling ignored")] = c => Rope(c)["rope_type"] = "default",
        [("llama-tied", "rope_theta 10000")] = c => Rope(c)["rope_theta"] = 10000.0,
        [("llama-untied-rope3", "rope_scaling ignored")] = c => Rope(c)["rope_type"] = "default",
        [("llama-untied-rope3", "rope type linear instead of llama3")] = c => Rope(c)["rope_type"] = "linear",
        [("llama-untied-rope3", "rms_norm_eps 1e-6")] = c => c["rms_norm_eps"] = 1e-6,
        [("llama-untied-rope3", "rope_theta 10000")] = c => Rope(c)["rope_theta"] = 10000.0,
        [("mistral-swa", "no sliding window")] = c => c["sliding_window"] = null,
        [("mistral-swa", "window off by one (6)")] = c => c["sliding_window"] = 6,
        [("mistral-swa", "window off by one (8)")] = c => c["sliding_window"] = 8,
        [("olmo2", "rope_theta 10000")] = c => Rope(c)["rope_theta"] = 10000.0,
        [("phi3", "no sliding window")] = c => c["sliding_window"] = null,
        [("phi3-longrope", "short factors used for the long batch")] = c => Rope(c)["long_factor"] = Rope(c)["short_factor"]!.DeepClone(),
        [("phi3-longrope", "attention factor 1")] = c => Rope(c)["attention_factor"] = 1.0,
        [("phi3-longrope", "no rope scaling")] = c => Rope(c)["rope_type"] = "default",
        [("qwen2-swa-yarn", "yarn ignored")] = c => Rope(c)["rope_type"] = "default",
        [("qwen2-swa-yarn", "yarn without attention factor")] = c => Rope(c)["attention_factor"] = 1.0,
        [("qwen2-swa-yarn", "window on every layer")] = c => Layers(c, "S"),
        [("qwen2-swa-yarn", "window on no layer")] = c => Layers(c, "F"),
        [("qwen2-tied", "sliding_window applied although use_sliding_window is false")] = SlidesFromLayerOne,
        [("qwen3", "rope_theta 10000")] = c => Rope(c)["rope_theta"] = 10000.0,
    };

    public static TheoryData<string, string> All()
    {
        TheoryData<string, string> data = [];
        foreach (string directory in Directory.GetDirectories(Path.Combine(Golden.Root, "models")).Order(StringComparer.Ordinal))
        {
            JsonNode? stated = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "golden.json")))!["logits_max_abs_change_if"];
            foreach ((string mistake, _) in stated as JsonObject ?? [])
                data.Add(Path.GetFileName(directory), mistake);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(All))]
    public void A_mistake_moves_the_logits_as_far_as_it_does_in_the_reference(string model, string mistake)
    {
        using TemporaryDirectory directory = Golden.CopyOfModel(model);
        string path = Path.Combine(directory.Path, "config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        JsonObject text = config["text_config"] as JsonObject ?? config;
        Assert.True(Mistakes.TryGetValue((model, mistake), out Action<JsonObject>? make), $"no test makes the mistake '{mistake}' in {model}");
        make(text);
        File.WriteAllText(path, config.ToJsonString());
        double stated = JsonNode.Parse(File.ReadAllText(Path.Combine(directory.Path, "golden.json")))!["logits_max_abs_change_if"]![mistake]!.GetValue<double>();

        double measured = LargestChange(directory.Path, model);

        // Both figures carry the rounding of two fp32 forward passes (golden/README.md: up to 1e-4 a logit).
        Assert.InRange(measured, stated - 2e-4, stated + 2e-4);
    }

    private static double LargestChange(string directory, string name)
    {
        using CausalLM model = CausalLM.Load(directory, new LoadOptions());
        using GoldenTensors golden = new(Path.Combine(Golden.Model(name), "golden.safetensors"));
        using var noGrad = no_grad();
        using PaddedBatch batch = golden.Batch();
        using Tensor hidden = model.HiddenStates(batch.Packed);
        using Tensor logits = model.Logits(hidden);
        using Tensor padded = batch.Scatter(logits);
        float[] expected = golden.Floats("logits"), actual = TensorTypes.ToFloat32Array(padded);
        long[] mask = golden.Integers("attention_mask");
        int vocabulary = expected.Length / mask.Length;
        double largest = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            if (mask[i / vocabulary] != 0)
                largest = Math.Max(largest, Math.Abs((double)expected[i] - actual[i]));
        }

        return largest;
    }

    private static JsonObject Rope(JsonObject config, string? kind = null) =>
        (kind is null ? config["rope_parameters"] : config["rope_parameters"]![kind])!.AsObject();

    /// <summary>S slides, F is full; repeated over the layers.</summary>
    private static void Layers(JsonObject config, string pattern) => config["layer_types"] = new JsonArray(
        [.. Enumerable.Range(0, (int)config["num_hidden_layers"]!).Select(i => (JsonNode)(pattern[i % pattern.Length] == 'S' ? "sliding_attention" : "full_attention"))]);

    /// <summary>Each layer keeps its own rope; the window is wider than the text.</summary>
    private static void NoWindowButLocalRope(JsonObject config) => config["sliding_window"] = 4096;

    private static void SlidesFromLayerOne(JsonObject config)
    {
        config["use_sliding_window"] = true;
        config["sliding_window"] = 5; // as config.v4.json has it
        Layers(config, "FSS"); // max_window_layers is 1
    }
}
