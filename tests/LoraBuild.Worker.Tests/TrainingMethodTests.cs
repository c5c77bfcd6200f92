// Each training method through a recipe: data → tokens → training → evaluation → merge, as a person runs them.
using System.Text.Json.Nodes;

namespace LoraBuild.Worker.Tests;

public sealed class TrainingMethodTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    [Theory]
    [InlineData("adapter: { type: dora, r: 2, target_modules: all-linear }")]
    [InlineData("adapter: { type: lora, r: 2, target_modules: [q_proj], modules_to_save: [embed_tokens], ensure_weight_tying: true }")]
    [InlineData("adapter: { type: none }")]
    [InlineData("adapter: { r: 2, trainable_token_indices: [5, 9], target_modules: [q_proj] }")]
    [InlineData("adapter: { r: 2, bias: all, target_modules: [q_proj] }")]
    [InlineData("adapter: { r: 2, init_lora_weights: pissa, target_modules: [q_proj, down_proj] }")]
    public void A_method_trains_evaluates_and_merges(string sections)
    {
        WriteRecipe(sections);
        foreach (string verb in new[] { "train", "evaluate", "merge" })
        {
            Outcome outcome = worker.Run("", verb, "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"));
            Assert.True(outcome.ExitCode == 0, $"{verb}: {outcome.Error}");
        }

        Assert.True(File.Exists(worker.In("out", "merged", "model.safetensors")));
    }

    [Theory]
    [InlineData("nf4", "original", "float32")]
    [InlineData("nf4", "dequantized", "auto")]
    [InlineData("fp4", "original", "bfloat16")]
    [InlineData("int8", "dequantized", "auto")]
    public void A_quantised_base_trains_evaluates_merges_and_exports(string code, string into, string compute)
    {
        WriteRecipe("adapter: { r: 2, target_modules: all-linear }\nexport: { gguf: [f16] }");
        string[] changes = [$"base.quantization={code}", $"base.compute_dtype={compute}", $"merge.into={into}"];
        foreach (string verb in new[] { "train", "evaluate", "merge", "export-gguf" })
        {
            Outcome outcome = worker.Run("", [verb, "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"), .. changes.SelectMany(c => new[] { "--set", c })]);
            Assert.True(outcome.ExitCode == 0, $"{verb}: {outcome.Error}");
        }

        // One set of codes for all stages, and both drifts told.
        Assert.Single(Directory.GetFiles(worker.In("out", "obj", "quantized"), "*", SearchOption.AllDirectories));
        JsonNode merged = JsonNode.Parse(File.ReadAllText(worker.In("out", "evaluation.json")))!["merged"]!;
        double judged = (double)merged["drift"]!["max_logit_difference"]!, other = (double)merged["other_drift"]!["max_logit_difference"]!;
        Assert.True(judged < other, $"{judged} and {other}");
        Assert.Equal(into == "original" ? "quantized base and adapter" : "original base and adapter", (string)merged["other_drift"]!["from"]!);
    }

    [Fact]
    public void Decoded_weights_to_merge_into_may_also_be_those_of_the_files()
    {
        WriteRecipe("adapter: { r: 2, target_modules: all-linear }\nmerge: { into: dequantized }");
        const string Refusal = "recipe.yaml(6,16): error LB0010: merge.into dequantized";
        Outcome refused = worker.Run("", "train", "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"));
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains(Refusal, refused.Error, StringComparison.Ordinal);
        Outcome plan = worker.Run("", "plan", "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"), "--json");
        Assert.Contains(Refusal, (string)Assert.Single(plan.Lines)["problem"]!, StringComparison.Ordinal);

        worker.StoreQuantized();
        byte[][] merged = [.. ((string[])["dequantized", "original"]).Select(into =>
        {
            foreach (string verb in new[] { "train", "merge" })
            {
                Outcome outcome = worker.Run("", verb, "--recipe", worker.In("recipe.yaml"), "--output", worker.In(into), "--set", $"merge.into={into}");
                Assert.True(outcome.ExitCode == 0, $"{verb}: {outcome.Error}");
                Assert.Equal(verb == "merge", outcome.Error.Contains("merge.into original and dequantized are the same here", StringComparison.Ordinal));
            }

            return File.ReadAllBytes(worker.In(into, "merged", "model.safetensors"));
        })];
        Assert.Equal(merged[0], merged[1]);
    }

    [Fact]
    public void Weights_in_their_stored_type_train_to_the_same_losses()
    {
        WriteRecipe("adapter: { r: 2, target_modules: all-linear }");
        worker.StoreNarrow();
        string[] losses = [.. ((string[])["widened", "stored"]).Select(held =>
        {
            Outcome outcome = worker.Run("", "train", "--recipe", worker.In("recipe.yaml"), "--output", worker.In(held), "--set", $"base.weights_in_memory={held}");
            Assert.True(outcome.ExitCode == 0, outcome.Error);
            return string.Join(' ', File.ReadLines(worker.In(held, "metrics.jsonl")).Select(l => JsonNode.Parse(l)!["loss"]).Where(l => l is not null).Select(l => Math.Round((double)l!, 4)));
        })];
        Assert.Equal(losses[0], losses[1]);
    }

    [Theory]
    [InlineData("dpo", "")]
    [InlineData("simpo", "")]
    [InlineData("kto", ", packing: false")]
    public void Preference_pairs_train_evaluate_and_merge(string loss, string template)
    {
        WriteRecipe("adapter: { r: 2, target_modules: [q_proj] }");
        string[] changes = [
            "dataset.sources=[{path: pairs.jsonl, format: preference}]", $"train.preference.loss={loss}", "template={ loss: all" + template + " }", "train.max_steps=3"];
        File.WriteAllLines(worker.In("pairs.jsonl"), Enumerable.Range(0, 12).Select(i => $$"""{"prompt": [{"role": "user", "content": "{{i}}?"}], "chosen": [{"role": "assistant", "content": "it is {{i}}"}], "rejected": [{"role": "assistant", "content": "who knows"}]}"""));
        foreach (string verb in new[] { "train", "evaluate", "merge" })
        {
            Outcome outcome = worker.Run("", [verb, "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"), .. changes.SelectMany(c => new[] { "--set", c })]);
            Assert.True(outcome.ExitCode == 0, $"{verb}: {outcome.Error}");
        }

        Assert.Contains("rewards/margins", File.ReadAllText(worker.In("out", "metrics.jsonl")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("adapter: { target_modules: [q_pro] }", "LB0520", "target_modules")]
    [InlineData("adapter: { target_modules: [q_proj], modules_to_save: [nope] }", "LB0523", "modules_to_save")]
    public void A_module_that_is_not_there_is_told_at_its_place_by_plan_and_train(string sections, string code, string key)
    {
        WriteRecipe(sections);
        string[] lines = File.ReadAllLines(worker.In("recipe.yaml"));
        int line = Array.FindIndex(lines, l => l.Contains(key, StringComparison.Ordinal));
        string place = $"recipe.yaml({line + 1},{lines[line].IndexOf(key, StringComparison.Ordinal) + key.Length + 3}): error {code}";
        Outcome plan = worker.Run("", "plan", "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"), "--json");
        Assert.Contains(place, (string)Assert.Single(plan.Lines)["problem"]!, StringComparison.Ordinal);
        Outcome train = worker.Run("", "train", "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"));
        Assert.Equal(1, train.ExitCode);
        Assert.Contains(place, train.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_profile_says_where_the_time_went()
    {
        WriteRecipe("adapter: { r: 2, target_modules: [q_proj] }");
        Outcome outcome = worker.Run("", "train", "--profile", "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"));
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Contains("backward ms/step", outcome.Output, StringComparison.Ordinal);

        // The counters are the process's, and other tests may train beside this one: only what is at least there can be held.
        JsonNode profile = JsonNode.Parse(File.ReadAllText(worker.In("out", "profile.json")))!;
        Assert.True((long)profile["steps"]! >= 2);
        foreach (string part in new[] { "norm", "embedding", "loss", "optimizer", "rest" })
            Assert.True((double)profile["parts"]![part]!["forward_seconds"]! > 0, part);
        Assert.True((double)profile["parts"]!["norm"]!["backward_seconds"]! > 0);
        Assert.True((int)profile["evaluation"]!["count"]! > 0 && (double)profile["evaluation"]!["seconds"]! > 0);
        Assert.Contains("evaluations, beside the steps", outcome.Output, StringComparison.Ordinal);

        Outcome again = worker.Run("", "train", "--profile", "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"));
        Assert.Equal(0, again.ExitCode);
    }

    public void Dispose() => worker.Dispose();

    private void WriteRecipe(string sections)
    {
        worker.Model();
        File.WriteAllLines(worker.In("data.jsonl"), Enumerable.Range(0, 12).Select(i => $$"""{"prompt": "question {{i}}", "response": "answer {{i * 7}}"}"""));
        File.WriteAllText(worker.In("recipe.yaml"), $$"""
            base: { model: ./model }
            dataset: { sources: [{ path: data.jsonl, columns: { prompt: prompt, response: response } }], split: { eval: 0.2 } }
            train: { max_steps: 2, per_device_train_batch_size: 2, gradient_accumulation_steps: 1 }
            evaluate: { max_new_tokens: 2 }
            {{sections}}
            """);
    }
}
