// evaluation.json grows with the stages, says nothing that is not of what stands there, and makes no stage stale.
using System.Text.Json.Nodes;

namespace LoraBuild.Worker.Tests;

public sealed class EvaluationFileTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    public EvaluationFileTests()
    {
        worker.Model();
        File.WriteAllLines(worker.In("data.jsonl"), Enumerable.Range(0, 12).Select(i => $$"""{"messages": [{"role": "user", "content": "{{i}}?"}, {"role": "assistant", "content": "it is {{i}}"}]}"""));
        File.WriteAllText(worker.In("recipe.yaml"), """
            base: { model: ./model }
            dataset:
              sources: [{ path: data.jsonl, format: messages }]
              split: { eval: 0.3 }
            train: { max_steps: 1, per_device_train_batch_size: 2, gradient_accumulation_steps: 1, save_steps: 0, eval_steps: 0 }
            evaluate: { prompts: [] , max_new_tokens: 2 }
            export: { gguf: [f16, q8_0], max_perplexity_increase: { q8_0: 0.5 } }

            """);
        Ok("train");
    }

    [Fact]
    public void Each_stage_adds_its_figures_and_none_becomes_stale()
    {
        Ok("evaluate");
        Assert.Equal(["base", "adapter"], Keys());
        Ok("merge");
        Assert.Equal(["base", "adapter", "merged"], Keys());
        Ok("export-gguf");
        Assert.Equal(["base", "adapter", "merged", "gguf"], Keys());

        JsonNode report = Report();
        long tokens = (long)report["base"]!["tokens"]!;
        Assert.All(new[] { report["adapter"]!, report["merged"]!, report["gguf"]!["f16"]!, report["gguf"]!["q8_0"]! }, part => Assert.Equal(tokens, (long)part["tokens"]!));
        Assert.Equal((double)report["adapter"]!["loss"]!, (double)report["merged"]!["loss"]!, 1e-4);
        Assert.InRange((double)report["merged"]!["drift"]!["max_logit_difference"]!, 0, 1e-3);
        Assert.InRange((double)report["gguf"]!["f16"]!["perplexity_increase"]!, -0.01, 0.01);

        JsonNode plan = JsonNode.Parse(worker.Run("", "plan", "--recipe", "recipe.yaml", "--output", "out", "--json").Output)!;
        Assert.All(plan["stages"]!.AsArray(), stage => Assert.Empty(stage!["reasons"]!.AsArray()));

        string before = File.ReadAllText(Path);
        File.Delete(Path);
        Ok("merge");
        Assert.Equal(before, File.ReadAllText(Path));
    }

    [Fact]
    public void Figures_of_a_merge_that_is_no_longer_that_of_the_adapter_are_left_out()
    {
        Ok("evaluate");
        Ok("merge");
        Ok("train", "--set", "train.max_steps=3");
        Ok("evaluate", "--set", "train.max_steps=3");
        Assert.Equal(["base", "adapter"], Keys());
        Ok("merge", "--set", "train.max_steps=3");
        Assert.Equal(["base", "adapter", "merged"], Keys());
    }

    [Fact]
    public void Outputs_of_earlier_stages_that_someone_else_made_are_measured_too()
    {
        Directory.Delete(worker.In("out", "stages"), recursive: true);
        Directory.Delete(worker.In("out", "obj"), recursive: true);
        Ok("evaluate");
        Assert.Equal(["base", "adapter"], Keys());
        Ok("merge");
        Assert.Equal(["base", "adapter", "merged"], Keys());
    }

    [Fact]
    public void A_type_that_costs_more_than_the_recipe_allows_fails_at_its_line()
    {
        Ok("merge");
        // A merged model that was twice as good: every type is far worse than that.
        string merged = worker.In("out", "evaluations", "merged.json");
        JsonNode figures = JsonNode.Parse(File.ReadAllText(merged))!;
        figures["merged"]!["perplexity"] = (double)figures["merged"]!["perplexity"]! / 2;
        File.WriteAllText(merged, figures.ToJsonString());
        Outcome outcome = Run("export-gguf");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains($"{worker.In("recipe.yaml")}(7,", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("error LB0712: q8_0: perplexity", outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("LB0712: f16", outcome.Error, StringComparison.Ordinal); // no bound
        Assert.False(Directory.Exists(worker.In("out", "gguf")));
    }

    [Fact]
    public void Bounds_that_cannot_be_checked_are_told()
    {
        Ok("merge");
        File.Delete(worker.In("out", "evaluations", "merged.json"));
        Outcome outcome = Run("export-gguf");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains("warning LB0713", outcome.Error, StringComparison.Ordinal);
    }

    public void Dispose() => worker.Dispose();

    private string Path => worker.In("out", "evaluation.json");

    private JsonNode Report() => JsonNode.Parse(File.ReadAllText(Path))!;

    private string[] Keys() => [.. Report().AsObject().Select(p => p.Key)];

    private void Ok(params string[] arguments)
    {
        Outcome outcome = Run(arguments);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
    }

    private Outcome Run(params string[] arguments) =>
        worker.Run("", [arguments[0], "--recipe", "recipe.yaml", "--output", "out", "--threads", "1", .. arguments[1..]]);
}
