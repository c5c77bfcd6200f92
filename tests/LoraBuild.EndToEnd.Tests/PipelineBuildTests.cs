// `dotnet build` of a pipeline project: what runs, what is skipped, and what an edit makes stale.
namespace LoraBuild.EndToEnd.Tests;

public sealed class PipelineBuildTests
{
    [Fact]
    public void A_build_makes_everything_and_the_next_one_does_only_what_an_edit_made_stale()
    {
        using TemporaryPipeline pipeline = new();
        BuildResult first = pipeline.Build();
        Assert.True(first.ExitCode == 0, first.Output);
        Assert.Equal(TemporaryPipeline.Stages, TemporaryPipeline.Ran(first));
        foreach (string output in new[] { "dataset/train.jsonl", "dataset/report.json", "tokens/train.safetensors", "audit.json", "adapter/adapter_config.json", "adapter/adapter_model.safetensors", "metrics.jsonl", "evaluation.json", "samples.md", "merged/model.safetensors", "merged/config.json", "merged/tokenizer.json", "gguf/tiny-f16.gguf", "gguf/tiny-q8_0.gguf", "gguf/Modelfile" })
            Assert.True(File.Exists(pipeline.Out(output)), output);
        SortedDictionary<string, string> made = pipeline.Snapshot();

        BuildResult second = pipeline.Build();
        Assert.Equal(0, second.ExitCode);
        Assert.Empty(TemporaryPipeline.Ran(second));
        Assert.Equal(0, pipeline.Build("-question").ExitCode);

        // Time stamps mean nothing.
        foreach (string file in Directory.EnumerateFiles(pipeline.Directory, "*", SearchOption.AllDirectories))
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow);
        Assert.Empty(TemporaryPipeline.Ran(pipeline.Build()));

        // A key that no stage's outputs depend on, and one that only the export reads.
        pipeline.ReplaceInRecipe("eval_steps: 0.5", "eval_steps: 0.5\n  logging_steps: 3");
        Assert.Empty(TemporaryPipeline.Ran(pipeline.Build()));
        pipeline.ReplaceInRecipe("[f16, q8_0]", "[f16]");
        Assert.Equal(["ExportGguf"], TemporaryPipeline.Ran(pipeline.Build()));
        Assert.False(File.Exists(pipeline.Out("gguf", "tiny-q8_0.gguf")));
        pipeline.ReplaceInRecipe("[f16]", "[f16, q8_0]");
        Assert.Equal(["ExportGguf"], TemporaryPipeline.Ran(pipeline.Build()));

        // A blank at a line's end: the sources differ, the data set does not, and the cascade stops there.
        string[] lines = File.ReadAllLines(pipeline.Data);
        lines[3] += " ";
        File.WriteAllLines(pipeline.Data, lines);
        Assert.Equal(["PrepareDataset"], TemporaryPipeline.Ran(pipeline.Build()));

        // One line of data.
        lines[3] = lines[3].Replace("what is", "tell me", StringComparison.Ordinal);
        File.WriteAllLines(pipeline.Data, lines);
        BuildResult edited = pipeline.Build();
        Assert.Equal(0, edited.ExitCode);
        Assert.Subset(new HashSet<string>(TemporaryPipeline.Ran(edited)), new HashSet<string> { "PrepareDataset", "ApplyChatTemplate", "TrainAdapter" });

        // And back: the same bytes as at first.
        lines[3] = lines[3].Replace("tell me", "what is", StringComparison.Ordinal).TrimEnd();
        File.WriteAllLines(pipeline.Data, lines);
        Assert.Equal(0, pipeline.Build().ExitCode);
        Assert.Equal(made, pipeline.Snapshot());

        // An output that someone removed is made again, with what stands on it unchanged.
        File.Delete(pipeline.Out("merged", "config.json"));
        Assert.Equal(["MergeAndUnload"], TemporaryPipeline.Ran(pipeline.Build()));
        Assert.Equal(made, pipeline.Snapshot());

        Assert.Equal(0, pipeline.Build("-t:Clean").ExitCode);
        Assert.Empty(Directory.EnumerateFileSystemEntries(pipeline.Out()));
    }

    [Fact]
    public void One_target_builds_what_it_depends_on_and_overrides_reach_the_recipe()
    {
        using TemporaryPipeline pipeline = new();
        BuildResult build = pipeline.Build("-t:ApplyChatTemplate", "-p:RecipeOverrides=template.max_length=64%3Bdataset.split.eval=0.5");
        Assert.True(build.ExitCode == 0, build.Output);
        Assert.Equal(["PrepareDataset", "ApplyChatTemplate"], pipeline.FinishedStages());
        string manifest = File.ReadAllText(pipeline.Out("stages", "template.json"));
        Assert.Contains("template.max_length: 64", manifest, StringComparison.Ordinal);

        // The Plan target says what is left and why.
        BuildResult plan = pipeline.Build("-t:Plan", "-p:RecipeOverrides=template.max_length=64%3Bdataset.split.eval=0.5");
        Assert.Equal(0, plan.ExitCode);
        Assert.Contains("template: up to date", plan.Output, StringComparison.Ordinal);
        Assert.Contains("train: would run", plan.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_key_is_a_build_error_at_its_line_and_nothing_is_written()
    {
        using TemporaryPipeline pipeline = new();
        pipeline.ReplaceInRecipe("learning_rate:", "learning_rat:");
        BuildResult build = pipeline.Build();
        Assert.Equal(1, build.ExitCode);
        int line = Array.FindIndex(File.ReadAllLines(pipeline.Recipe), l => l.Contains("learning_rat:", StringComparison.Ordinal)) + 1;
        Assert.Matches($@"recipe\.yaml\({line},\d+\): LoraBuild error LB\d{{4}}: .*learning_rate", build.Output);
        Assert.False(Directory.Exists(pipeline.Out("dataset")));
    }

    [Fact]
    public void A_broken_data_line_is_a_build_error_at_its_line_and_leaves_no_output()
    {
        using TemporaryPipeline pipeline = new();
        string[] lines = File.ReadAllLines(pipeline.Data);
        lines[4] = lines[4][..20];
        File.WriteAllLines(pipeline.Data, lines);
        BuildResult build = pipeline.Build();
        Assert.Equal(1, build.ExitCode);
        Assert.Matches(@"data\.jsonl\(5[,)].*error LB01\d\d", build.Output);
        Assert.Empty(pipeline.FinishedStages());
        Assert.False(Directory.Exists(pipeline.Out("dataset")));
    }

    [Fact]
    public void A_model_that_is_nowhere_gives_the_command_that_fetches_it()
    {
        using TemporaryPipeline pipeline = new();
        BuildResult build = pipeline.Build("-p:BaseModel=example/does-not-exist");
        Assert.Equal(1, build.ExitCode);
        Assert.Contains("error LB0051", build.Output, StringComparison.Ordinal);
        Assert.Contains("lorabuild fetch example/does-not-exist (a build does so itself with -p:FetchModels=true)", build.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_project_without_recipe_says_so()
    {
        using TemporaryPipeline pipeline = new();
        string project = File.ReadAllText(pipeline.In("x.proj"));
        File.WriteAllText(pipeline.In("x.proj"), project.Replace("<Recipe>recipe.yaml</Recipe>", "", StringComparison.Ordinal));
        BuildResult build = pipeline.Build();
        Assert.Equal(1, build.ExitCode);
        Assert.Contains("error LB0915", build.Output, StringComparison.Ordinal);
    }
}
