// What stages say about a recipe that does not fit, and what merged/ carries of the recipe's choices.
using System.Text.Json.Nodes;

namespace LoraBuild.Worker.Tests;

public sealed class StageInputTests : IDisposable
{
    private const string Template = "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ strftime_now('%Y') + m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}";

    private readonly WorkerFixture worker = new();

    [Fact]
    public void A_target_module_that_matches_nothing_is_told_at_its_line_with_those_that_exist()
    {
        WriteRecipe("adapter: { target_modules: [nothing_proj] }");
        Outcome outcome = Run("train");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains($"{worker.In("recipe.yaml")}(6,28): error LB0520: target_modules names 'nothing_proj'", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("q_proj, k_proj", outcome.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(worker.In("out", "adapter")));
    }

    [Fact]
    public void Evaluate_without_tokens_names_the_stage_that_makes_them()
    {
        WriteRecipe();
        Outcome outcome = Run("evaluate");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("error LB0831", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("lorabuild template", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_directory_that_does_not_exist_is_told_with_the_command_that_fetches_one()
    {
        WriteRecipe();
        Outcome outcome = Run("train", "--set", "base.model=./nowhere");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains($"error LB0052: the model's directory {worker.In("nowhere")} does not exist. Name another one, or a hub id (org/name), which can be fetched with: lorabuild fetch org/name.", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Merged_carries_the_chat_template_that_the_recipe_chose()
    {
        File.WriteAllText(worker.In("own.jinja"), Template);
        WriteRecipe("template: { chat_template: own.jinja }");
        Assert.Equal(0, Run("train").ExitCode);
        Outcome outcome = Run("merge");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Equal(Template, File.ReadAllText(worker.In("out", "merged", "chat_template.jinja")));
        JsonNode config = JsonNode.Parse(File.ReadAllText(worker.In("out", "merged", "tokenizer_config.json")))!;
        Assert.Equal(Template, (string)config["chat_template"]!);
        Assert.Equal("<|im_end|>", (string)config["eos_token"]!);
    }

    [Fact]
    public void Merged_carries_nothing_of_the_tokenizer_that_the_recipe_replaced()
    {
        WriteRecipe();
        string other = worker.In("other");
        Directory.CreateDirectory(other);
        foreach (string file in new[] { "tokenizer.json", "tokenizer_config.json" })
            File.Copy(Path.Combine(WorkerFixture.Tokenizer, file), Path.Combine(other, file));
        File.WriteAllText(worker.In("model", "chat_template.jinja"), "the base model's");
        File.WriteAllText(worker.In("model", "special_tokens_map.json"), "{}");
        Assert.Equal(0, Run("train", "--set", "base.tokenizer=./other").ExitCode);
        Outcome outcome = Run("merge", "--set", "base.tokenizer=./other");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Equal(
            ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            Directory.EnumerateFiles(worker.In("out", "merged")).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_file_of_a_source_that_is_a_glob_makes_prepare_stale_when_it_is_edited_added_or_removed()
    {
        WriteRecipe();
        File.Copy(worker.In("data.jsonl"), worker.In("b-data.jsonl"));
        string[] glob = ["--set", "dataset.sources=[{path: '*data.jsonl'}]"];
        Assert.Equal(0, Run(["prepare", .. glob]).ExitCode);
        Assert.Equal("", WhyPrepare(glob));
        File.AppendAllText(worker.In("b-data.jsonl"), "\n");
        Assert.Contains("b-data.jsonl", WhyPrepare(glob), StringComparison.Ordinal);
        Assert.Equal(0, Run(["prepare", .. glob]).ExitCode);
        File.Copy(worker.In("data.jsonl"), worker.In("c-data.jsonl"));
        Assert.Contains("c-data.jsonl", WhyPrepare(glob), StringComparison.Ordinal);
        Assert.Equal(0, Run(["prepare", .. glob]).ExitCode);
        File.Delete(worker.In("c-data.jsonl"));
        Assert.NotEqual("", WhyPrepare(glob));
    }

    public void Dispose() => worker.Dispose();

    private string WhyPrepare(string[] options)
    {
        Outcome plan = worker.Run("", ["plan", "--recipe", "recipe.yaml", "--output", "out", "--json", .. options]);
        JsonNode prepare = JsonNode.Parse(plan.Output)!["stages"]!.AsArray().First(s => (string)s!["stage"]! == "prepare")!;
        return string.Join("; ", prepare["reasons"]!.AsArray().Select(n => (string)n!));
    }

    private Outcome Run(params string[] arguments) =>
        worker.Run("", [arguments[0], "--recipe", "recipe.yaml", "--output", "out", "--threads", "1", .. arguments[1..]]);

    /// <param name="line">Line 6 of the recipe.</param>
    private void WriteRecipe(string line = "")
    {
        worker.Model();
        File.WriteAllLines(worker.In("data.jsonl"), Enumerable.Range(0, 12).Select(i => $$"""{"messages": [{"role": "user", "content": "{{i}}?"}, {"role": "assistant", "content": "it is {{i}}"}]}"""));
        File.WriteAllText(worker.In("recipe.yaml"), $$"""
            base: { model: ./model }
            dataset:
              sources: [{ path: data.jsonl, format: messages }]
              split: { eval: 0.3 }
            train: { max_steps: 1, per_device_train_batch_size: 2, gradient_accumulation_steps: 1, save_steps: 0, eval_steps: 0 }
            {{line}}

            """);
    }
}
