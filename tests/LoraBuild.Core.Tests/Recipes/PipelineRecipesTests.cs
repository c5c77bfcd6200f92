// The recipes of pipelines/: each reads without a finding and says what its experiment says.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Recipes;

public sealed class PipelineRecipesTests
{
    private static readonly string[] Attention = ["q_proj", "k_proj", "v_proj"];

    private static string Pipelines { get; } = Path.Combine(RecipeFixture.Repository, "pipelines");

    [Fact]
    public void Every_recipe_reads_without_a_finding()
    {
        foreach (string file in Directory.EnumerateFiles(Pipelines, "*.yaml"))
            Assert.NotNull(Read(Path.GetFileName(file)));
    }

    [Theory]
    [InlineData("chatbot-v1", 8, 32, false, 5e-5, 3, 5, "chatbot-first.jsonl")]
    [InlineData("chatbot-v2", 16, 64, true, 2e-5, 4, 1, "chatbot-first.jsonl")]
    [InlineData("chatbot-v3", 8, 32, false, 2e-5, 4, 10, "chatbot-first.jsonl")]
    [InlineData("chatbot-v4", 8, 32, false, 1e-4, 1.47, 1, "chatbot-second.jsonl")]
    public void The_four_chatbots_have_their_values(string name, int r, double alpha, bool hasOutputAndGate, double rate, double epochs, int loggingSteps, string data)
    {
        Recipe recipe = Read(name + ".yaml");
        Assert.Equal(name, recipe.Name);
        Assert.Equal("google/gemma-3-4b-it", recipe.Base.Model);
        Assert.Equal((r, alpha, 0.05), (recipe.Adapter.R, recipe.Adapter.LoraAlpha, recipe.Adapter.LoraDropout));
        Assert.Equal(hasOutputAndGate ? [.. Attention, "o_proj", "gate_proj"] : Attention, recipe.Adapter.TargetModules);
        Assert.Equal((rate, epochs, loggingSteps), (recipe.Train.LearningRate, recipe.Train.NumTrainEpochs, recipe.Train.LoggingSteps));
        Assert.Equal([Path.Combine(Pipelines, "data", data)], recipe.Dataset.Sources.Select(s => s.Path));
        Assert.True(recipe.Template.Packing);
    }

    [Fact]
    public void The_quickstart_takes_the_small_model_beside_it()
    {
        Recipe recipe = Read("quickstart.yaml");
        Assert.Equal(Path.Combine(Pipelines, "models", "tiny-base"), recipe.Base.Model);
        Assert.Equal("all-linear", recipe.Adapter.TargetModulesPattern);
        Assert.Equal(["f16", "q8_0"], recipe.Export.Gguf);
    }

    [Fact]
    public void Every_preset_reads_without_a_finding()
    {
        Assert.Equal(Directory.EnumerateFiles(Path.Combine(Pipelines, "presets")).Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal), RecipePresets.Names);
        using RecipeFixture fixture = new();
        Assert.All(RecipePresets.Names, name => fixture.ReadRight($"extends: preset:{name}\n{RecipeFixture.Minimal}"));
    }

    private static Recipe Read(string file)
    {
        DiagnosticBag bag = new();
        Recipe? recipe = RecipeReader.Read(Path.Combine(Pipelines, file), [], bag);
        Assert.Empty(bag.All);
        return recipe!;
    }
}
