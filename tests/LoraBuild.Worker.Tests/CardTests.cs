// The cards that stages write: figures of this very adapter or none, and no stage runs again because of a word in one.
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace LoraBuild.Worker.Tests;

public sealed class CardTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    [Fact]
    public void Training_writes_the_card_of_the_adapter()
    {
        WriteRecipe();
        Assert.Equal(0, Run("train").ExitCode);
        string card = Card("adapter");
        Assert.StartsWith("---\nlibrary_name: peft\nlicense: mit\npipeline_tag: text-generation\n", card, StringComparison.Ordinal);
        Assert.Contains("# LoRA adapter for model", card, StringComparison.Ordinal);
        Assert.Contains("r 4, lora_alpha 8, lora_dropout 0.05; on `k_proj`, `q_proj`, `v_proj`.", card, StringComparison.Ordinal);
        string data = Sha256("dataset", "train.jsonl"), tokens = Sha256("tokens", "train.safetensors");
        Assert.Matches($@"\| train \| \d+ \| [\d,]+ \| [\d,]+ \| `{data}` \| `{tokens}` \|", card);
        Assert.Matches(@"2 optimizer steps, [\d.]+ epochs; loss \d+\.\d{4} at the first step, \d+\.\d{4} at the last; lowest loss on held-out documents", card);
        Assert.Contains("\ntrain.max_steps: 2\n", card, StringComparison.Ordinal);
        Assert.Contains("\ndataset.sources: [{ path: data.jsonl", card, StringComparison.Ordinal);
        Assert.DoesNotContain(worker.Directory, card, StringComparison.Ordinal);
    }

    [Fact]
    public void The_merged_card_has_the_evaluation_of_this_adapter_and_of_no_other()
    {
        WriteRecipe();
        Assert.Equal(0, Run("train").ExitCode);
        Assert.Equal(0, Run("merge").ExitCode);
        Assert.DoesNotContain("## Evaluation", Card("merged"), StringComparison.Ordinal);
        Assert.DoesNotContain("the base model's own card", Card("merged"), StringComparison.Ordinal);
        Assert.Equal("a license text", File.ReadAllText(worker.In("out", "merged", "LICENSE")));

        Assert.Equal(0, Run("export-gguf").ExitCode);
        Assert.Equal(0, Run("evaluate").ExitCode);
        Assert.Equal("changed: evaluations/trained.json", Why("merge"));
        Assert.Equal(0, Run("merge").ExitCode);
        JsonNode evaluation = JsonNode.Parse(File.ReadAllText(worker.In("out", "evaluation.json")))!;
        foreach ((string name, string key) in new[] { ("base model", "base"), ("with the adapter", "adapter") })
            Assert.Contains(FormattableString.Invariant($"| {name} | {(double)evaluation[key]!["loss"]!:F4} | {(double)evaluation[key]!["perplexity"]!:F3} |"), Card("merged"), StringComparison.Ordinal);
        Assert.Equal("", Why("export-gguf"));

        // Evaluated again with other questions: the figures are the same, and nothing is merged again.
        Assert.Equal("", Why("merge", "--set", "evaluate.prompts=[hello]"));

        // Another adapter: the figures are not of it.
        Assert.Equal(0, Run("train", "--set", "seed=7").ExitCode);
        Assert.Equal(0, Run("merge", "--set", "seed=7").ExitCode);
        Assert.DoesNotContain("## Evaluation", Card("merged"), StringComparison.Ordinal);
        Assert.Contains("\nseed: 7\n", Card("merged"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_run_writes_the_same_card()
    {
        WriteRecipe();
        Assert.Equal(0, Run("train").ExitCode);
        string first = Card("adapter");
        Assert.Equal(0, Run("train", "--no-resume").ExitCode);
        Assert.Equal(first, Card("adapter"));
    }

    [Fact]
    public void A_word_in_a_card_makes_nothing_stale()
    {
        WriteRecipe();
        Assert.Equal(0, Run("train").ExitCode);
        Assert.Equal(0, Run("merge").ExitCode);
        string file = worker.In("out", "adapter", "README.md");
        File.WriteAllText(file, Regex.Replace(File.ReadAllText(file), "LoRA adapter for", "LoRA ADAPTER for"));
        Assert.Equal("", Why("merge"));

        // Whoever publishes the model goes on writing its card; training again over that would take hours and the words.
        File.AppendAllText(file, "A paragraph of our own.\n");
        Assert.Equal("", Why("train"));
        Assert.Equal(0, Run("train").ExitCode);
        Assert.EndsWith("A paragraph of our own.\n", File.ReadAllText(file), StringComparison.Ordinal);
        File.Delete(file);
        Assert.NotEqual("", Why("train"));
    }

    [Fact]
    public void An_evaluation_that_someone_damaged_is_told()
    {
        WriteRecipe();
        Assert.Equal(0, Run("train").ExitCode);
        Assert.Equal(0, Run("evaluate").ExitCode);
        string file = worker.In("out", "evaluations", "trained.json");
        File.WriteAllText(file, "[" + new string(' ', (int)new FileInfo(file).Length - 2) + "]");
        Outcome outcome = Run("merge");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("LB0835", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Full_training_writes_a_card_of_its_own_and_so_does_merging_it()
    {
        WriteRecipe();
        Assert.Equal(0, Run("train", "--set", "adapter.type=none").ExitCode);
        Assert.Contains("# model, fine-tuned", Card("model"), StringComparison.Ordinal);
        Outcome outcome = Run("merge", "--set", "adapter.type=none");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Contains("# model, fine-tuned", Card("merged"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_merge_of_given_directories_says_what_they_hold()
    {
        WriteRecipe();
        Assert.Equal(0, Run("train").ExitCode);
        Outcome outcome = worker.Run("", "merge", "--model", "model", "--adapter", "out/adapter", "--output", "by-hand");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        string card = File.ReadAllText(worker.In("by-hand", "README.md"));
        Assert.Contains("# model with a LoRA adapter merged in", card, StringComparison.Ordinal);
        Assert.Contains("r 4, lora_alpha 8", card, StringComparison.Ordinal);
        Assert.Contains("license: mit", card, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_of_the_hub_is_named_with_its_commit_and_the_license_of_its_fetch()
    {
        const string commit = "0123456789abcdef0123456789abcdef01234567";
        string snapshot = worker.In("cache", "models--org--tiny", "snapshots", commit);
        WriteRecipe();
        File.Delete(worker.In("model", "README.md"));
        Directory.CreateDirectory(Path.GetDirectoryName(snapshot)!);
        Directory.Move(worker.In("model"), snapshot);
        foreach ((string file, string text) in new[] { ("refs/v1", commit), ($".lorabuild/{commit}.license", "gemma\n") })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(worker.In("cache", "models--org--tiny", file))!);
            File.WriteAllText(worker.In("cache", "models--org--tiny", file), text);
        }

        worker.Variables["HF_HUB_CACHE"] = worker.In("cache");
        Outcome outcome = Run("train", "--set", "base.model=org/tiny@v1");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        string card = Card("adapter");
        Assert.StartsWith("---\nbase_model: org/tiny\nbase_model_relation: adapter\nlibrary_name: peft\nlicense: gemma\n", card, StringComparison.Ordinal);
        Assert.Contains($"| revision | `v1`, commit `{commit}` |", card, StringComparison.Ordinal);
        JsonNode manifest = JsonNode.Parse(File.ReadAllText(worker.In("out", "stages", "train.json")))!;
        Assert.Equal(("org/tiny", "v1", commit), ((string)manifest["base"]!["id"]!, (string)manifest["base"]!["revision"]!, (string)manifest["base"]!["commit"]!));
        Assert.Equal("", Why("train", "--set", "base.model=org/tiny@v1"));
        Assert.Equal("org/tiny", (string)JsonNode.Parse(File.ReadAllText(worker.In("out", "adapter", "adapter_config.json")))!["base_model_name_or_path"]!);
    }

    public void Dispose() => worker.Dispose();

    private string Card(string directory) => File.ReadAllText(worker.In("out", directory, "README.md"));

    private string Sha256(params string[] path) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(worker.In(["out", .. path]))));

    private string Why(string stage, params string[] options)
    {
        Outcome plan = worker.Run("", ["plan", "--recipe", "recipe.yaml", "--output", "out", "--json", .. options]);
        JsonNode found = JsonNode.Parse(plan.Output)!["stages"]!.AsArray().First(s => (string)s!["stage"]! == stage)!;
        return string.Join("; ", found["reasons"]!.AsArray().Select(n => (string)n!));
    }

    private Outcome Run(params string[] arguments) =>
        worker.Run("", [arguments[0], "--recipe", "recipe.yaml", "--output", "out", "--threads", "1", .. arguments[1..]]);

    private void WriteRecipe()
    {
        worker.Model();
        File.WriteAllText(worker.In("model", "README.md"), "---\nlicense: mit\n---\nthe base model's own card");
        File.WriteAllText(worker.In("model", "LICENSE"), "a license text");
        File.WriteAllLines(worker.In("data.jsonl"), Enumerable.Range(0, 12).Select(i => $$"""{"messages": [{"role": "user", "content": "{{i}}?"}, {"role": "assistant", "content": "it is {{i}}"}]}"""));
        File.WriteAllText(worker.In("recipe.yaml"), """
            base: { model: ./model }
            dataset:
              sources: [{ path: data.jsonl, format: messages }]
              split: { eval: 0.3 }
            adapter: { r: 4, lora_alpha: 8 }
            train: { max_steps: 2, per_device_train_batch_size: 2, gradient_accumulation_steps: 1, eval_steps: 1 }
            evaluate: { max_new_tokens: 2 }
            export: { gguf: [f16] }

            """);
    }
}
