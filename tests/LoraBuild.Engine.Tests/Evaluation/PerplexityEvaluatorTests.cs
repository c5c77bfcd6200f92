// Loss and perplexity against transformers.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Tests.Training;

namespace LoraBuild.Engine.Tests.Evaluation;

public sealed class PerplexityEvaluatorTests
{
    // golden/README.md §1: mean_loss abs 1e-5, perplexity rel 1e-5
    [Theory]
    [InlineData("llama-tied")]
    [InlineData("llama-untied-rope3")]
    [InlineData("qwen2-tied")]
    public void Loss_and_perplexity_are_those_of_transformers(string name)
    {
        string directory = Golden.Model(name);
        JsonNode expected = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "golden.json")))!["batch"]!;
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(directory, "golden.safetensors"));
        using CausalLM model = CausalLM.Load(directory, new LoadOptions());
        EvaluationResult result = PerplexityEvaluator.Evaluate(model, Rows(golden), 4096);
        Assert.Equal((double)expected["mean_loss"]!, result.Loss, 1e-5);
        Assert.Equal((double)expected["perplexity"]!, result.Perplexity, (double)expected["perplexity"]! * 1e-5);
        Assert.Equal((long)expected["loss_token_count"]!, result.Tokens);
    }

    [Fact]
    public void The_size_of_a_batch_does_not_matter()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        EvaluationResult one = PerplexityEvaluator.Evaluate(model, TinyRun.Train, 1);
        EvaluationResult many = PerplexityEvaluator.Evaluate(model, TinyRun.Train, 10_000);
        Assert.Equal(one.Tokens, many.Tokens);
        Assert.Equal(one.Loss, many.Loss, 1e-5);
    }

    [Fact]
    public void Documents_without_a_target_have_no_loss()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        TokenDocuments masked = Documents.WithLabels(([1, 2], [1, -100]));
        Assert.Equal("LB0605", Assert.Throws<DiagnosticException>(() => PerplexityEvaluator.Evaluate(model, masked, 16)).Diagnostics[0].Code);
    }

    private static TokenDocuments Rows(SafetensorsFile file)
    {
        long[] shape = file.Tensors["input_ids"].Shape;
        long[] ids = file.ReadInt64("input_ids");
        long[] mask = file.ReadInt64("attention_mask");
        long[] labels = file.ReadInt64("labels");
        return Documents.WithLabels([.. Enumerable.Range(0, (int)shape[0]).Select(row =>
        {
            int[] places = [.. Enumerable.Range(row * (int)shape[1], (int)shape[1]).Where(p => mask[p] == 1)];
            return (places.Select(p => (int)ids[p]).ToArray(), places.Select(p => (int)labels[p]).ToArray());
        })]);
    }
}
