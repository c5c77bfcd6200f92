// A cache in a temporary directory and the hub that it is filled from.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Hub;
using LoraBuild.Core.Models;
using LoraBuild.Tests.Shared;

namespace LoraBuild.Core.Tests.Hub;

internal sealed class HubFixture : IDisposable, IHubObserver
{
    public const int WeightBytes = 10_000;

    private readonly HttpMessageInvoker client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false });

    public HubFixture()
    {
        Random random = new(11);
        byte[] weights = new byte[WeightBytes];
        random.NextBytes(weights);
        Server.Files["config.json"] = "{}"u8.ToArray();
        Server.Files["tokenizer.json"] = "{\"version\": \"1.0\"}"u8.ToArray();
        Server.Files["model.safetensors"] = weights;
        Server.Files["README.md"] = "# model"u8.ToArray();
    }

    public LoopbackHub Server { get; } = new();

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("hub-").FullName;

    public List<string> Messages { get; } = [];

    public List<HubProgress> Steps { get; } = [];

    /// <summary>The pauses before further attempts, none of which was really made.</summary>
    public List<TimeSpan> Waits { get; } = [];

    public string Cache => Path.Combine(Directory, "cache");

    public string Repository => Path.Combine(Cache, "models--org--tiny");

    public string Snapshot => Path.Combine(Repository, "snapshots", LoopbackHub.Commit);

    public string WeightBlob => Path.Combine(Repository, "blobs", LoopbackHub.Sha256(Server.Files["model.safetensors"]));

    public HubOptions Options(string? token = null, bool isOffline = false, TimeProvider? time = null, double stallSeconds = 20, long freeBytes = long.MaxValue, Action<string, string>? createLink = null, Action<TimeSpan>? waiting = null, int partBytes = 1024) => new()
    {
        CacheDirectory = Cache,
        Endpoint = Server.Address,
        Token = token,
        IsOffline = isOffline,
        PartBytes = partBytes,
        Connections = 3,
        StallTimeout = TimeSpan.FromSeconds(stallSeconds),
        Time = time ?? TimeProvider.System,
        FreeBytes = _ => freeBytes,
        CreateLink = createLink ?? ((path, target) => File.CreateSymbolicLink(path, target)),
        Wait = (delay, cancellation) =>
        {
            cancellation.ThrowIfCancellationRequested();
            lock (Waits)
                Waits.Add(delay);
            waiting?.Invoke(delay);
            return Task.CompletedTask;
        },
    };

    public Task<FetchedModel> Fetch(HubOptions? options = null, string name = LoopbackHub.Id, ModelContent content = ModelContent.Weights, CancellationToken cancellation = default) =>
        new HubFetcher(client, options ?? Options(), this).FetchAsync(HubName.Parse(name), content, cancellation);

    public Task<FetchPlan> Plan() => new HubFetcher(client, Options(), this).PlanAsync(HubName.Parse(LoopbackHub.Id), ModelContent.Weights, CancellationToken.None);

    public async Task<string> Fails(string code, HubOptions? options = null, string name = LoopbackHub.Id)
    {
        Diagnostic found = Assert.Single((await Assert.ThrowsAsync<DiagnosticException>(() => Fetch(options, name))).Diagnostics);
        Assert.Equal(code, found.Code);
        return found.Message;
    }

    /// <summary>Every file of the snapshot has the server's bytes.</summary>
    public void AssertComplete()
    {
        foreach (string name in new[] { "config.json", "tokenizer.json", "model.safetensors" })
            Assert.Equal(Server.Files[name], File.ReadAllBytes(Path.Combine(Snapshot, name)));
        Assert.DoesNotContain(System.IO.Directory.EnumerateFiles(Repository, "*", SearchOption.AllDirectories), f => f.EndsWith(".incomplete", StringComparison.Ordinal) || f.EndsWith(".tmp", StringComparison.Ordinal));
    }

    public void Message(string text)
    {
        lock (Messages)
            Messages.Add(text);
    }

    public void Progress(HubProgress progress) => Steps.Add(progress);

    public void Dispose()
    {
        client.Dispose();
        Server.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
