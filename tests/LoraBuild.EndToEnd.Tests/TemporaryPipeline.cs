// A pipeline project of its own in a temporary directory, built with the real `dotnet build`.
using System.Globalization;
using System.Text;

namespace LoraBuild.EndToEnd.Tests;

internal sealed class TemporaryPipeline : IDisposable
{
    public static readonly string[] Stages = ["PrepareDataset", "ApplyChatTemplate", "TrainAdapter", "EvaluatePerplexity", "MergeAndUnload", "ExportGguf"];

    private static readonly string[] Verbs = ["prepare", "template", "train", "evaluate", "merge", "export-gguf"];

    public TemporaryPipeline(int maxSteps = 6)
    {
        Directory = System.IO.Directory.CreateTempSubdirectory("lorabuild-e2e-").FullName;
        TinyModel.Write(In("model"));
        WriteData(48);
        File.WriteAllText(In("recipe.yaml"), string.Create(CultureInfo.InvariantCulture, $$"""
            name: tiny
            base:
              model: ./model
            dataset:
              sources:
                - path: data.jsonl
                  format: messages
              split: { eval: 0.25 }
            template:
              max_length: 96
            adapter:
              r: 4
              lora_alpha: 8
              lora_dropout: 0.0
            train:
              max_steps: {{maxSteps}}
              per_device_train_batch_size: 2
              gradient_accumulation_steps: 1
              learning_rate: 1e-2
              save_steps: 2
              eval_steps: 0.5
            evaluate:
              max_new_tokens: 4
            export:
              gguf: [f16, q8_0]

            """));
        File.WriteAllText(In("x.proj"), $"""
            <Project>
              <PropertyGroup>
                <Recipe>recipe.yaml</Recipe>
                <OutputDirectory>out</OutputDirectory>
                <Threads>1</Threads>
                <ProgressInterval>0</ProgressInterval>
              </PropertyGroup>
              <Import Project="{Repository.In("Directory.Build.targets")}" />
            </Project>

            """);
    }

    public string Directory { get; }

    public string Recipe => In("recipe.yaml");

    public string Data => In("data.jsonl");

    public string In(params string[] parts) => Path.Combine([Directory, .. parts]);

    public string Out(params string[] parts) => In(["out", .. parts]);

    public BuildResult Build(params string[] arguments) =>
        Dotnet.Run(Directory, ["build", "x.proj", "-tl:off", "-nologo", .. arguments]);

    /// <summary>The stages that ran in a build: those that did not say that they were up to date.</summary>
    public static IReadOnlyList<string> Ran(BuildResult build) =>
        [.. Stages.Where(stage => !build.Output.Contains($"{stage}: up to date", StringComparison.Ordinal))];

    /// <summary>Content of every output, manifests included, by path.</summary>
    public SortedDictionary<string, string> Snapshot()
    {
        SortedDictionary<string, string> files = new(StringComparer.Ordinal);
        foreach (string file in System.IO.Directory.EnumerateFiles(Out(), "*", SearchOption.AllDirectories))
        {
            string name = Path.GetRelativePath(Out(), file);
            if (!name.StartsWith("obj", StringComparison.Ordinal) && !name.StartsWith("checkpoints", StringComparison.Ordinal) && !name.StartsWith("tensorboard", StringComparison.Ordinal) && name != "metrics.jsonl")
                files[name] = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file)));
        }

        return files;
    }

    public IEnumerable<string> FinishedStages() => Stages.Zip(Verbs).Where(s => File.Exists(Out("stages", s.Second + ".json"))).Select(s => s.First);

    public void ReplaceInRecipe(string old, string @new)
    {
        string text = File.ReadAllText(Recipe);
        Assert.Contains(old, text, StringComparison.Ordinal);
        File.WriteAllText(Recipe, text.Replace(old, @new, StringComparison.Ordinal));
    }

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);

    private void WriteData(int conversations)
    {
        StringBuilder lines = new();
        for (int i = 0; i < conversations; i++)
            lines.Append(CultureInfo.InvariantCulture, $$"""{"messages": [{"role": "user", "content": "what is {{i}}?"}, {"role": "assistant", "content": "it is {{i * 7 % 50}}"}]}""").Append('\n');
        File.WriteAllText(Data, lines.ToString());
    }
}
