// The pipelines of the repository on the small base model that comes with it.
using System.Text.Json.Nodes;

namespace LoraBuild.EndToEnd.Tests;

public sealed class ChatbotPipelineTests
{
    private static readonly string[] Outputs =
        ["dataset/train.jsonl", "tokens/train.safetensors", "adapter/adapter_model.safetensors", "evaluation.json", "samples.md", "merged/model.safetensors", "gguf/Modelfile"];

    [Fact]
    public void Chatbot_v4_learns_its_data_on_the_small_base_model()
    {
        using TemporaryOutput output = new();

        BuildResult build = output.Build("chatbot-v4.proj");

        Assert.True(build.ExitCode == 0, build.Output);
        Assert.All(Outputs, file => Assert.True(File.Exists(output.In(file)), file));
        JsonNode evaluation = JsonNode.Parse(File.ReadAllText(output.In("evaluation.json")))!;
        Assert.Equal((long)evaluation["base"]!["tokens"]!, (long)evaluation["adapter"]!["tokens"]!);
        Assert.True((double)evaluation["adapter"]!["perplexity"]! < (double)evaluation["base"]!["perplexity"]!);
    }

    [Theory]
    [InlineData("chatbot-v1.proj")]
    [InlineData("chatbot-v2.proj")]
    [InlineData("chatbot-v3.proj")]
    public void The_other_versions_build_on_the_small_base_model(string project)
    {
        using TemporaryOutput output = new();

        BuildResult build = output.Build(project, "-p:RecipeOverrides=train.max_steps=2");

        Assert.True(build.ExitCode == 0, build.Output);
        Assert.All(Outputs, file => Assert.True(File.Exists(output.In(file)), file));
    }

    private sealed class TemporaryOutput : IDisposable
    {
        private readonly string directory = Directory.CreateTempSubdirectory("lorabuild-chatbot-").FullName;

        public BuildResult Build(string project, params string[] arguments) => Dotnet.Run(
            Repository.In("."),
            ["build", Repository.In("pipelines", project), "-tl:off", "-nologo", "-p:BaseModel=pipelines/models/tiny-base", $"-p:OutputDirectory={directory}", .. arguments]);

        public string In(string path) => Path.Combine(directory, path);

        public void Dispose() => Directory.Delete(directory, recursive: true);
    }
}
