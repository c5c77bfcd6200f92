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
