// The plan before training and the measurement after it, through the verbs.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Planning;
using LoraBuild.Worker.Planning;

namespace LoraBuild.Worker.Tests.Planning;

public sealed class MemoryPlanTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    [Fact]
    public void A_plan_has_parts_that_sum_to_the_peak_and_what_could_be_changed()
    {
        Write("");
        JsonNode plan = JsonNode.Parse(Ok("plan", "--json").Output)!;
        Assert.Equal("step", (string?)plan["peak_memory_phase"]);
        Assert.Equal((long)plan["peak_memory_bytes"]!, plan["memory_bytes"]!.AsObject().Sum(p => (long)p.Value!));
        Assert.Equal(["weights", "adapter", "gradients", "optimizer", "activations", "logits", "scratch", "runtime"], plan["memory_bytes"]!.AsObject().Select(p => p.Key));
        JsonArray options = plan["memory_options"]!.AsArray();
        Assert.Contains(options, o => (string)o!["change"]! == "train.gradient_checkpointing: true");
        Assert.Contains(options, o => (string)o!["change"]! == "train.optim: adamw_8bit");
        Assert.True((long)options.Single(o => (string)o!["change"]! == "all of these")!["peak_memory_bytes"]! < (long)plan["peak_memory_bytes"]!);

        string text = Ok("plan").Output;
        Assert.Contains("predicted peak memory:", text, StringComparison.Ordinal);
        Assert.Contains("with train.gradient_checkpointing: true", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_that_the_files_hold_quantised_are_planned_as_codes_and_not_quantised_again()
    {
        Write("");
        JsonNode asked = JsonNode.Parse(Ok("plan", "--json", "--set", "base.quantization=nf4").Output)!;
        worker.StoreQuantized();
        JsonNode plan = JsonNode.Parse(Ok("plan", "--json").Output)!;
        Assert.Equal((long)asked["memory_bytes"]!["weights"]!, (long)plan["memory_bytes"]!["weights"]!);
        Assert.Equal(WithoutRuntime(asked), WithoutRuntime(plan));
        Assert.DoesNotContain(plan["memory_options"]!.AsArray(), o => ((string)o!["change"]!).Contains("quantization", StringComparison.Ordinal));
    }

    [Fact]
    public void Narrow_weights_are_planned_as_the_files_have_them_and_trained_ones_as_they_are_trained()
    {
        Write("");
        long wide = Weights(), full = Weights("adapter.type=none");
        worker.StoreNarrow(); // config.json says float32 still
        Assert.InRange(Weights(), wide / 2, wide * 0.55); // norms are wide
        Assert.Equal(wide, Weights("base.weights_in_memory=widened"));
        Assert.Equal(full, Weights("adapter.type=none"));

        long Weights(string change = "seed=1") => (long)JsonNode.Parse(Ok("plan", "--json", "--set", change).Output)!["memory_bytes"]!["weights"]!;
    }

    [Fact]
    public void A_plan_can_be_of_a_device_that_is_not_here()
    {
        Write("");
        Outcome text = Ok("plan", "--device", "cuda:63");
        Assert.Contains("predicted peak memory on cuda:63:", text.Output, StringComparison.Ordinal);
        JsonNode device = JsonNode.Parse(Ok("plan", "--json", "--device", "cuda:63").Output)!, processor = JsonNode.Parse(Ok("plan", "--json", "--device", "cpu").Output)!;
        Assert.Equal(("cuda:63", "cpu"), ((string)device["device"]!, (string)processor["device"]!));
        Assert.Equal((long)processor["memory_bytes"]!["weights"]!, 2 * (long)device["memory_bytes"]!["weights"]!); // auto is bfloat16 there

        // Moments of 8 bits live in the machine's memory.
        Assert.NotEqual(0, (long)device["memory_bytes"]!["optimizer"]!);
        Assert.Equal(0, (long)JsonNode.Parse(Ok("plan", "--json", "--device", "cuda:63", "--set", "train.optim=adamw_8bit").Output)!["memory_bytes"]!["optimizer"]!);

        Assert.Contains("LB0826", Run("train", "--device", "cuda:63").Error, StringComparison.Ordinal);
        Outcome refused = Run("plan", "--device", "cuda:63", "--set", "train.memory_limit=1MB");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("LB0641", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_steps_can_be_cut_only_what_cannot_is_required()
    {
        Write("");
        Recipe recipe = RecipeReader.Read(worker.In("recipe.yaml"), [], new DiagnosticBag())!;
        TrainingMemory memory = new(new MemoryFacts(ModelConfig.Load(worker.In("model")), worker.In("model"), null, null, IsCuda: true, TensorDtype.BF16, 0));
        MemoryPlan plan = memory.Of(recipe);
        long uncut = plan["weights"] + plan["adapter"] + plan["gradients"] + plan["optimizer"];
        Assert.Null(Finding(uncut, isNoticed: true));
        Assert.Equal("LB0641", Finding(uncut - 1, isNoticed: true)?.Code);
        Assert.Equal("LB0641", Finding(uncut, isNoticed: false)?.Code);
        Assert.Null(Finding(plan.PeakBytes, isNoticed: false));

        Diagnostic? Finding(long bytes, bool isNoticed) => MemoryCheck.Finding(recipe, memory, plan, new MemoryLimit(bytes, "a test says so", isNoticed));
    }

    [Fact]
    public void Published_figures_need_no_recipe()
    {
        Outcome outcome = worker.Run("", "plan", "--published");
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Error));
        Assert.Contains("| gemma-3-12b QLoRA, embeddings and head trained | 22.041 |", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_does_not_fit_is_refused_with_what_would()
    {
        Write("""
            template: { max_length: 512, packing: false }
            train: { per_device_train_batch_size: 64, max_steps: 1 }
            """, words: 100);
        Ok("template");
        JsonNode plan = JsonNode.Parse(Ok("plan", "--json").Output)!;
        long needed = (long)plan["peak_memory_bytes"]!;
        long least = plan["memory_options"]!.AsArray().Min(o => (long)o!["peak_memory_bytes"]!);
        Assert.True(needed - least > 30_000_000, $"{needed} {least}");

        // Between both.
        string limit = $"train.memory_limit={(needed + least) / 2}";
        Outcome refused = Run("train", "--set", limit);
        Assert.Equal(1, refused.ExitCode);
        Assert.Matches(@"LB0641: training needs [0-9,]+ MB \(weights .*, and [0-9,]+ MB are there: train.memory_limit says so. What would fit: .*MB\)", refused.Error);
        Assert.Contains("train.per_device_train_batch_size: 1", refused.Error, StringComparison.Ordinal);

        Outcome planned = Run("plan", "--json", "--set", limit);
        Assert.Equal(1, planned.ExitCode);
        Assert.Contains("error LB0641: training needs", planned.Error, StringComparison.Ordinal);
        Assert.Contains("LB0641", (string?)JsonNode.Parse(planned.Output)!["problem"], StringComparison.Ordinal);

        Outcome hopeless = Run("train", "--set", "train.memory_limit=1MB");
        Assert.Contains("nor all of them", hopeless.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(worker.In("out", "adapter")));

        // What is set already is no advice.
        Assert.Contains("train.gradient_checkpointing: true; base.quantization: nf4; train.optim: adamw_8bit is enough", hopeless.Error, StringComparison.Ordinal);
        hopeless = Run("train", "--set", "train.memory_limit=1MB", "--set", "base.quantization=nf4", "--set", "train.gradient_checkpointing=true");
        Assert.DoesNotContain("nf4", hopeless.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("gradient_checkpointing", hopeless.Error, StringComparison.Ordinal);
        Assert.Contains("train.optim: adamw_8bit is enough, nor all of them", hopeless.Error, StringComparison.Ordinal);
    }

    public void Dispose() => worker.Dispose();

    /// <summary>What the process holds already changes from one test to the next.</summary>
    private static long WithoutRuntime(JsonNode plan) => (long)plan["peak_memory_bytes"]! - (long)plan["memory_bytes"]!["runtime"]!;

    private Outcome Run(string verb, params string[] options) => worker.Run("", [verb, "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"), .. options]);

    private Outcome Ok(string verb, params string[] options)
    {
        if (verb == "template")
            Ok("prepare");
        Outcome outcome = Run(verb, options);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return outcome;
    }

    private void Write(string sections, int words = 3)
    {
        if (!Directory.Exists(worker.In("model")))
            worker.Model();
        string question = string.Join(' ', Enumerable.Repeat("why", words));
        File.WriteAllLines(worker.In("data.jsonl"), Enumerable.Range(0, 70).Select(i => $$"""{"messages": [{"role": "user", "content": "{{i}} {{question}}?"}, {"role": "assistant", "content": "it is {{i}}"}]}"""));
        string adapter = sections.Contains("adapter:", StringComparison.Ordinal) ? "" : "adapter: { r: 2, target_modules: [q_proj] }\n";
        string train = sections.Contains("train:", StringComparison.Ordinal) ? "" : "train: { max_steps: 2 }\n";
        File.WriteAllText(worker.In("recipe.yaml"), $"base: {{ model: model }}\ndataset: {{ sources: [{{ path: data.jsonl }}] }}\nexport: {{ gguf: [] }}\n{adapter}{train}{sections}\n");
    }
}
