// Builds whose base model comes from a hub on this machine: fetched when it is asked for, once, and then never asked about again.
using System.Text;
using LoraBuild.Tests.Shared;

namespace LoraBuild.EndToEnd.Tests;

public sealed class FetchModelsTests : IDisposable
{
    private readonly TemporaryPipeline pipeline = new();
    private readonly LoopbackHub hub = new();
    private readonly Dictionary<string, string> environment;

    public FetchModelsTests()
    {
        foreach (string file in Directory.EnumerateFiles(pipeline.In("model")))
            hub.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        environment = new()
        {
            ["HF_ENDPOINT"] = hub.Address.AbsoluteUri,
            ["HF_HOME"] = pipeline.In("home"),
            ["HF_HUB_CACHE"] = "",
            ["HF_HUB_OFFLINE"] = "",
            ["NO_PROXY"] = "127.0.0.1",
            ["http_proxy"] = "",
            ["HTTP_PROXY"] = "",
        };
    }

    [Fact]
    public void A_missing_base_model_is_fetched_by_a_build_that_may_and_named_by_one_that_may_not()
    {
        BuildResult without = Build("-p:BaseModel=org/tiny", "-t:TrainAdapter");
        Assert.Equal(1, without.ExitCode);
        Assert.Contains("error LB0051", without.Output, StringComparison.Ordinal);
        Assert.Contains("lorabuild fetch org/tiny (a build does so itself with -p:FetchModels=true)", without.Output, StringComparison.Ordinal);
        Assert.Empty(hub.Requests);

        BuildResult first = Build("-p:BaseModel=org/tiny", "-p:FetchModels=true");
        Assert.True(first.ExitCode == 0, first.Output);
        Assert.Contains($"MB fetched, commit {LoopbackHub.Commit}", first.Output, StringComparison.Ordinal);
        Assert.Equal(TemporaryPipeline.Stages, pipeline.FinishedStages());
        SortedDictionary<string, string> made = pipeline.Snapshot();

        // In the cache: nothing is asked, and nothing runs, with the property or without.
        hub.ForgetRequests();
        BuildResult second = Build("-p:BaseModel=org/tiny", "-p:FetchModels=true");
        Assert.Equal(0, second.ExitCode);
        Assert.Empty(TemporaryPipeline.Ran(second));
        Assert.Empty(TemporaryPipeline.Ran(Build("-p:BaseModel=org/tiny")));
        Assert.Equal(0, Build("-p:BaseModel=org/tiny", "-p:FetchModels=true", "-question").ExitCode);
        Assert.Empty(hub.Requests);

        // The branch moves to other weights: seen when it is asked for, and then stale.
        hub.Files["model.safetensors"][^1] ^= 1;
        Assert.Empty(TemporaryPipeline.Ran(Build("-p:BaseModel=org/tiny", "-p:FetchModels=true")));
        Assert.Empty(hub.Requests);
        (int exitCode, string output) = Worker("fetch", "org/tiny");
        Assert.True(exitCode == 0, output);
        Assert.Contains("TrainAdapter", TemporaryPipeline.Ran(Build("-p:BaseModel=org/tiny")));

        // And back: the same bytes as at first.
        hub.Files["model.safetensors"][^1] ^= 1;
        Assert.Equal(0, Worker("fetch", "org/tiny").ExitCode);
        Assert.Equal(0, Build("-p:BaseModel=org/tiny").ExitCode);
        Assert.Equal(made, pipeline.Snapshot());
    }

    [Fact]
    public void A_fetch_that_fails_is_a_build_error_at_the_line_of_the_model()
    {
        pipeline.ReplaceInRecipe("model: ./model", "model: org/tiny@v3");
        BuildResult build = Build("-p:FetchModels=true");
        Assert.Equal(1, build.ExitCode);
        Assert.Matches(@"recipe\.yaml\(3,\d+\): LoraBuild error LB0061: org/tiny has no revision v3", build.Output);
        Assert.Empty(pipeline.FinishedStages());
    }

    [Fact]
    public void A_killed_fetch_leaves_what_it_has_and_the_next_one_goes_on()
    {
        byte[] weights = new byte[40 << 20];
        new Random(5).NextBytes(weights);
        hub.Files["model.safetensors"] = weights;
        using ManualResetEventSlim isLate = new();
        int parts = 0;
        hub.Tamper = (request, reply) =>
        {
            if (!request.Path.EndsWith("model.safetensors", StringComparison.Ordinal) || Interlocked.Increment(ref parts) <= 2)
                return reply;
            isLate.Set();
            return reply with { Pause = TimeSpan.FromMinutes(2) };
        };
        using (System.Diagnostics.Process fetch = Dotnet.Start(pipeline.Directory, Lorabuild, ["fetch", "org/tiny"], out StringBuilder output, environment))
        {
            Assert.True(isLate.Wait(TimeSpan.FromMinutes(1)), output.ToString());
            string incomplete = pipeline.In("home", "hub", "models--org--tiny", "blobs", LoopbackHub.Sha256(weights) + ".incomplete");
            Assert.True(SpinWait.SpinUntil(() => new FileInfo(incomplete) is { Exists: true, Length: > 0 }, TimeSpan.FromMinutes(1)), output.ToString());
            fetch.Kill();
            fetch.WaitForExit();
            Assert.InRange(new FileInfo(incomplete).Length, 8 << 20, weights.Length - 1);
        }

        hub.Tamper = (_, reply) => reply;
        hub.ForgetRequests();
        (int exitCode, string said) = Worker("fetch", "org/tiny");
        Assert.True(exitCode == 0, said);
        Assert.InRange(hub.BytesServed, 1, weights.Length - (8 << 20));
        Assert.Equal(weights, File.ReadAllBytes(pipeline.In("home", "hub", "models--org--tiny", "snapshots", LoopbackHub.Commit, "model.safetensors")));
    }

    [Fact]
    public void A_proxy_of_the_environment_is_used()
    {
        environment["HF_ENDPOINT"] = "http://hub.invalid";
        environment["HTTP_PROXY"] = environment["http_proxy"] = hub.Address.AbsoluteUri;
        (int exitCode, string output) = Worker("fetch", "org/tiny", "--list");
        Assert.True(exitCode == 0, output);
        Assert.Equal("hub.invalid", hub.Requests.Single().Header("Host"));
    }

    [Fact]
    public void Two_programs_at_once_fetch_each_file_once()
    {
        hub.Tamper = (_, reply) => reply with { Pause = TimeSpan.FromMilliseconds(200) };
        using System.Diagnostics.Process one = Dotnet.Start(pipeline.Directory, Lorabuild, ["fetch", "org/tiny"], out StringBuilder first, environment);
        using System.Diagnostics.Process two = Dotnet.Start(pipeline.Directory, Lorabuild, ["fetch", "org/tiny"], out StringBuilder second, environment);
        one.WaitForExit();
        two.WaitForExit();
        Assert.True(one.ExitCode == 0, first.ToString());
        Assert.True(two.ExitCode == 0, second.ToString());
        Assert.Equal(hub.Files.Values.Sum(f => f.Length), hub.BytesServed);
    }

    public void Dispose()
    {
        pipeline.Dispose();
        hub.Dispose();
    }

    private static string Lorabuild => Repository.In("artifacts", "bin", "LoraBuild.Worker", "release", "lorabuild");

    private BuildResult Build(params string[] arguments) => Dotnet.Run(pipeline.Directory, environment, ["build", "x.proj", "-tl:off", "-nologo", .. arguments]);

    private (int ExitCode, string Output) Worker(params string[] arguments)
    {
        using System.Diagnostics.Process process = Dotnet.Start(pipeline.Directory, Lorabuild, arguments, out StringBuilder output, environment);
        process.WaitForExit();
        lock (output)
            return (process.ExitCode, output.ToString());
    }
}
