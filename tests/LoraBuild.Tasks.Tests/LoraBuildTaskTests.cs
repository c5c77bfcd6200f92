// The tasks against a worker that is a shell script: what reaches the build log, and what cancelling does.
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using Microsoft.Build.Framework;

namespace LoraBuild.Tasks.Tests;

[UnsupportedOSPlatform("windows")]
public sealed class LoraBuildTaskTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("lorabuild-tasks-").FullName;
    private readonly RecordingBuildEngine engine;

    public LoraBuildTaskTests() => engine = new RecordingBuildEngine(Path.Combine(directory, "x.proj"));

    [Fact]
    public void The_request_has_absolute_paths_and_all_overrides_in_order()
    {
        TrainAdapter task = Create<TrainAdapter>("exit 0");
        task.BaseModel = "org/name";
        task.RecipeOverrides = ["train.max_steps=3", " adapter.r=4;adapter.lora_alpha=8 "];
        task.Threads = "2";
        task.Device = "cpu";
        task.NoResume = true;
        Assert.True(task.Execute());
        Assert.True(task.HasRun);

        JsonNode request = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "out", "obj", "train.request.json")))!;
        Assert.Equal("train", (string)request["verb"]!);
        Assert.Equal(Path.Combine(directory, "recipe.yaml"), (string)request["options"]!["recipe"]![0]!);
        Assert.Equal(Path.Combine(directory, "out"), (string)request["options"]!["output"]![0]!);
        Assert.Equal(["base.model=org/name", "train.max_steps=3", "adapter.r=4", "adapter.lora_alpha=8"], request["options"]!["set"]!.AsArray().Select(n => (string)n!));
        Assert.Equal(["device", "no-resume", "output", "recipe", "set", "threads"], request["options"]!.AsObject().Select(p => p.Key));
    }

    [Fact]
    public void A_build_fetches_only_what_is_missing()
    {
        Assert.True(Create<FetchBaseModel>("exit 0").Execute());
        JsonNode request = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "out", "obj", "fetch.request.json")))!;
        Assert.Equal("fetch", (string)request["verb"]!);
        Assert.Equal("true", (string)request["options"]!["if-missing"]![0]!);
    }

    [Fact]
    public void What_the_project_says_about_warnings_reaches_the_worker()
    {
        ApplyChatTemplate task = Create<ApplyChatTemplate>("exit 0");
        task.TreatWarningsAsErrors = "True";
        task.WarningsAsErrors = ";LB0317;LB0318";
        task.WarningsNotAsErrors = " ; ";
        task.NoWarn = "LB0335\n";
        JsonNode options = Options();
        Assert.Equal("true", (string)options["warnings-as-errors"]![0]!);
        Assert.Equal("LB0317;LB0318", (string)options["warn-as-error"]![0]!);
        Assert.Equal("LB0335", (string)options["no-warn"]![0]!);
        Assert.Null(options["warn-not-as-error"]);
        task.TreatWarningsAsErrors = "false";
        Assert.Null(Options()["warnings-as-errors"]);

        JsonNode Options()
        {
            Assert.True(task.Execute());
            return JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "out", "obj", "template.request.json")))!["options"]!;
        }
    }

    [Fact]
    public void A_warning_that_only_the_build_makes_an_error_fails_the_task_and_the_stage_is_forgotten()
    {
        const string Script = """
            echo '{"event":"diagnostic","severity":"warning","code":"LB0317","message":"suspicious"}'
            exit 0
            """;
        string manifest = Path.Combine(directory, "out", "stages", "template.json");
        Directory.CreateDirectory(Path.GetDirectoryName(manifest)!);
        File.WriteAllText(manifest, "{}");
        engine.Promoted.Add("LB0318");
        Assert.True(Create<ApplyChatTemplate>(Script).Execute());
        Assert.True(File.Exists(manifest));
        engine.Promoted.Add("LB0317");
        Assert.False(Create<ApplyChatTemplate>(Script).Execute());
        Assert.False(File.Exists(manifest));
    }

    [Fact]
    public void Diagnostics_become_errors_and_warnings_with_their_place()
    {
        PrepareDataset task = Create<PrepareDataset>("""
            echo '{"event":"diagnostic","severity":"warning","code":"LB0104","message":"a {0} brace","file":"/d/a.jsonl","line":2,"column":9}'
            echo '{"event":"diagnostic","severity":"error","code":"LB0101","message":"broken","file":"/d/a.jsonl","line":3,"column":4}'
            exit 1
            """);
        Assert.False(task.Execute());
        BuildErrorEventArgs error = Assert.Single(engine.Errors);
        Assert.Equal(("LB0101", "/d/a.jsonl", 3, 4, "broken"), (error.Code, error.File, error.LineNumber, error.ColumnNumber, error.Message));
        BuildWarningEventArgs warning = Assert.Single(engine.Warnings);
        Assert.Equal(("LB0104", 2, "a {0} brace"), (warning.Code, warning.LineNumber, warning.Message));
    }

    [Fact]
    public void Text_that_looks_like_an_error_is_none()
    {
        PrepareDataset task = Create<PrepareDataset>("""
            echo 'x.cs(1,2): error CS0001: data'
            echo '{"event":"message","text":"row 5: error E1: data"}'
            echo 'y.cs(1,2): error CS0001: data' >&2
            """);
        Assert.True(task.Execute());
        Assert.Empty(engine.Errors);
        Assert.Empty(engine.Warnings);
        Assert.Contains("row 5: error E1: data", engine.Shown);
        Assert.Contains("x.cs(1,2): error CS0001: data", engine.Quiet);
        Assert.Contains("y.cs(1,2): error CS0001: data", engine.Quiet);
    }

    [Fact]
    public void An_error_event_fails_the_task_even_with_exit_code_0() =>
        Assert.False(Create<MergeAndUnload>("""echo '{"event":"diagnostic","severity":"error","code":"LB0701","message":"m"}'""").Execute());

    [Fact]
    public void A_worker_that_is_killed_is_an_error_with_its_last_words()
    {
        Assert.False(Create<ExportGguf>("echo 'no memory left' >&2; kill -9 $$").Execute());
        BuildErrorEventArgs error = Assert.Single(engine.Errors);
        Assert.Equal("LB0911", error.Code);
        Assert.Contains("137", error.Message, StringComparison.Ordinal);
        Assert.Contains("no memory left", error.Message, StringComparison.Ordinal);
        Assert.Equal(7, error.LineNumber);
    }

    [Fact]
    public void Progress_is_shown_once_an_interval_and_at_the_end()
    {
        TrainAdapter task = Create<TrainAdapter>("""for i in 1 2 3 4; do echo "{\"event\":\"progress\",\"text\":\"step $i\"}"; done""");
        task.ProgressInterval = 3600;
        Assert.True(task.Execute());
        Assert.Equal(["step 1", "step 4"], engine.Shown);
    }

    [Fact]
    public void A_message_comes_after_the_progress_that_was_before_it()
    {
        TrainAdapter task = Create<TrainAdapter>("""for i in 1 2; do echo "{\"event\":\"progress\",\"text\":\"step $i\"}"; done; echo '{"event":"message","text":"done"}'""");
        task.ProgressInterval = 3600;
        Assert.True(task.Execute());
        Assert.Equal(["step 1", "step 2", "done"], engine.Shown);
    }

    [Fact]
    public async Task Cancelling_closes_standard_input_and_the_worker_leaves_by_itself()
    {
        TrainAdapter task = Create<TrainAdapter>("""echo '{"event":"message","text":"started"}'; cat > /dev/null; touch checkpoint; exit 130""");
        Task<bool> run = Task.Run(task.Execute);
        await WaitFor(() => engine.Shown.Contains("started"));
        task.Cancel();
        Assert.False(await run);
        Assert.True(File.Exists(Path.Combine(directory, "checkpoint")), "the worker had time to leave");
        Assert.Equal("LB0912", Assert.Single(engine.Errors).Code);
    }

    [Fact]
    public async Task A_worker_that_does_not_leave_is_killed_after_the_grace_time()
    {
        TrainAdapter task = Create<TrainAdapter>("""trap '' TERM; echo '{"event":"message","text":"started"}'; while true; do sleep 0.1; done""");
        task.CancelGrace = 0;
        Task<bool> run = Task.Run(task.Execute);
        await WaitFor(() => engine.Shown.Contains("started"));
        task.Cancel();
        Assert.False(await run.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("many")]
    public void Threads_must_be_a_number(string threads)
    {
        PrepareDataset task = Create<PrepareDataset>("exit 0");
        task.Threads = threads;
        Assert.False(task.Execute());
        Assert.Equal("LB0913", Assert.Single(engine.Errors).Code);
    }

    [Fact]
    public void A_missing_worker_is_named()
    {
        PrepareDataset task = Create<PrepareDataset>("exit 0");
        task.Worker = "nowhere/lorabuild";
        Assert.False(task.Execute());
        Assert.Equal("LB0914", Assert.Single(engine.Errors).Code);
    }

    [Fact]
    public void A_directory_that_cannot_be_written_is_an_error_and_not_a_fault_of_the_task()
    {
        File.WriteAllText(Path.Combine(directory, "out"), "a file");
        Assert.False(Create<PrepareDataset>("exit 0").Execute());
        BuildErrorEventArgs error = Assert.Single(engine.Errors);
        Assert.Equal("LB0916", error.Code);
        Assert.Contains(Path.Combine(directory, "out"), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Relative_paths_start_at_the_project_and_not_at_the_file_of_the_target()
    {
        string project = Directory.CreateDirectory(Path.Combine(directory, "project")).FullName;
        PrepareDataset task = Create<PrepareDataset>("""echo "{\"event\":\"message\",\"text\":\"$(pwd)\"}" """);
        task.Worker = Path.Combine(directory, "worker");
        task.ProjectDirectory = project;
        Assert.True(task.Execute());
        Assert.Equal([project], engine.Shown);
        JsonNode request = JsonNode.Parse(File.ReadAllText(Path.Combine(project, "out", "obj", "prepare.request.json")))!;
        Assert.Equal(Path.Combine(project, "recipe.yaml"), (string)request["options"]!["recipe"]![0]!);
    }

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private static async Task WaitFor(Func<bool> condition)
    {
        for (int i = 0; i < 600 && !condition(); i++)
            await Task.Delay(50);
        Assert.True(condition());
    }

    private T Create<T>(string script)
        where T : LoraBuildTask, new()
    {
        string worker = Path.Combine(directory, "worker");
        File.WriteAllText(worker, "#!/bin/sh\n" + script.ReplaceLineEndings("\n") + "\n");
        File.SetUnixFileMode(worker, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new T { BuildEngine = engine, Worker = worker, Recipe = "recipe.yaml", OutputDirectory = "out" };
    }
}
