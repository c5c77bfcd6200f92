// Fetching from a hub that behaves: what is taken, where it goes, and that nothing is fetched twice.
using LoraBuild.Core.Hub;
using LoraBuild.Core.Models;
using LoraBuild.Tests.Shared;

namespace LoraBuild.Core.Tests.Hub;

public sealed class HubFetcherTests : IDisposable
{
    private readonly HubFixture hub = new();

    [Fact]
    public async Task The_cache_has_the_layout_of_huggingface_hub()
    {
        FetchedModel fetched = await hub.Fetch();
        hub.AssertComplete();
        Assert.Equal(new LocatedModel(hub.Snapshot, "org/tiny", "main", LoopbackHub.Commit), fetched.Model);
        Assert.Equal(LoopbackHub.Commit, File.ReadAllText(Path.Combine(hub.Repository, "refs", "main")));
        Assert.Equal($"../../blobs/{LoopbackHub.Sha256(hub.Server.Files["model.safetensors"])}", new FileInfo(Path.Combine(hub.Snapshot, "model.safetensors")).LinkTarget);
        Assert.Equal($"../../blobs/{LoopbackHub.GitHash(hub.Server.Files["config.json"])}", new FileInfo(Path.Combine(hub.Snapshot, "config.json")).LinkTarget);
        Assert.Equal(fetched.Model, BaseModelLocator.Locate("org/tiny", [hub.Cache]));
        Assert.Equal(hub.Server.BytesServed, fetched.Received);
    }

    [Fact]
    public async Task A_second_fetch_asks_for_the_listing_and_nothing_else()
    {
        await hub.Fetch();
        hub.Server.ForgetRequests();
        FetchedModel again = await hub.Fetch();
        Assert.Equal(0, again.Received);
        Assert.Equal("/api/models/org/tiny/revision/main?blobs=true", Assert.Single(hub.Server.Requests).Target);
    }

    [Fact]
    public async Task Only_weights_json_tokenizer_and_template_files_are_taken()
    {
        foreach (string name in new[] { "pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "consolidated.safetensors", "run.py", "tf_model.h5", "original/model.safetensors", "original/params.json", "notes.txt", ".gitattributes", "model.gguf" })
            hub.Server.Files[name] = [1, 2, 3];
        foreach (string name in new[] { "generation_config.json", "tokenizer.model", "merges.txt", "vocab.txt", "chat_template.jinja", "additional_chat_templates/tool_use.jinja" })
            hub.Server.Files[name] = System.Text.Encoding.UTF8.GetBytes(name);
        FetchedModel fetched = await hub.Fetch();
        Assert.Equal(
            ["additional_chat_templates/tool_use.jinja", "chat_template.jinja", "config.json", "generation_config.json", "merges.txt", "model.safetensors", "tokenizer.json", "tokenizer.model", "vocab.txt"],
            fetched.Files.Select(f => f.Name).Order(StringComparer.Ordinal));
        Assert.Equal(9, hub.Server.FileRequests.Select(r => r.Path).Distinct().Count());
        Assert.Equal($"../../../blobs/{LoopbackHub.GitHash("additional_chat_templates/tool_use.jinja"u8.ToArray())}", new FileInfo(Path.Combine(hub.Snapshot, "additional_chat_templates", "tool_use.jinja")).LinkTarget);
    }

    [Fact]
    public async Task Of_a_sharded_model_the_shards_of_its_index_are_taken()
    {
        byte[] weights = hub.Server.Files["model.safetensors"];
        hub.Server.Files.Remove("model.safetensors");
        hub.Server.Files["model-00001-of-00002.safetensors"] = weights[..6000];
        hub.Server.Files["model-00002-of-00002.safetensors"] = weights[6000..];
        hub.Server.Files["consolidated.safetensors"] = weights;
        hub.Server.Files["model.safetensors.index.json"] = """{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"""u8.ToArray();
        FetchedModel fetched = await hub.Fetch();
        Assert.Equal(
            ["config.json", "model.safetensors.index.json", "tokenizer.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
            fetched.Files.Select(f => f.Name));
        Assert.Equal(hub.Snapshot, BaseModelLocator.Locate("org/tiny", [hub.Cache]).Directory);

        hub.Server.Files.Remove("model-00002-of-00002.safetensors");
        Assert.Contains("its index names model-00002-of-00002.safetensors, which it does not have", await hub.Fails("LB0062"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task For_a_tokenizer_or_a_shape_no_weights_are_fetched()
    {
        await hub.Fetch(content: ModelContent.Tokenizer);
        await hub.Fetch(content: ModelContent.Shape);
        Assert.DoesNotContain(hub.Server.Requests, r => r.Path.EndsWith(".safetensors", StringComparison.Ordinal));
        Assert.Equal(hub.Snapshot, BaseModelLocator.Locate("org/tiny", [hub.Cache], content: ModelContent.Tokenizer).Directory);
    }

    [Fact]
    public async Task A_tokenizer_may_be_a_SentencePiece_model()
    {
        hub.Server.Files["tokenizer.model"] = hub.Server.Files["tokenizer.json"];
        hub.Server.Files.Remove("tokenizer.json");
        await hub.Fetch(content: ModelContent.Tokenizer);
        Assert.Equal(hub.Snapshot, BaseModelLocator.Locate("org/tiny", [hub.Cache], content: ModelContent.Tokenizer).Directory);
        Assert.Equal(hub.Snapshot, BaseModelLocator.Locate(hub.Snapshot, [], content: ModelContent.Tokenizer).Directory);
    }

    [Fact]
    public async Task The_license_of_the_listing_is_kept_for_model_cards()
    {
        await hub.Fetch();
        Assert.Equal("apache-2.0", HubCache.ReadLicense(hub.Snapshot));
        Assert.Null(HubCache.ReadLicense(hub.Directory));
    }

    [Fact]
    public async Task A_revision_is_remembered_under_its_own_name()
    {
        hub.Server.Revisions.Add("refs/pr/1");
        await hub.Fetch(name: "org/tiny@refs/pr/1");
        Assert.Equal("/api/models/org/tiny/revision/refs%2Fpr%2F1?blobs=true", hub.Server.Requests.First().Target);
        Assert.Equal(LoopbackHub.Commit, File.ReadAllText(Path.Combine(hub.Repository, "refs", "refs", "pr", "1")));

        await hub.Fetch(name: "org/tiny@" + LoopbackHub.Commit);
        Assert.False(File.Exists(Path.Combine(hub.Repository, "refs", LoopbackHub.Commit)), "a commit needs no reference");
    }

    [Fact]
    public async Task What_another_revision_has_already_is_not_fetched_again()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(hub.WeightBlob)!);
        File.WriteAllBytes(hub.WeightBlob, hub.Server.Files["model.safetensors"]);
        FetchedModel fetched = await hub.Fetch();
        hub.AssertComplete();
        Assert.True(fetched.Received < HubFixture.WeightBytes);
    }

    [Fact]
    public async Task Where_links_are_impossible_files_are_copied()
    {
        await hub.Fetch(hub.Options(createLink: (_, _) => throw new UnauthorizedAccessException("no links here")));
        hub.AssertComplete();
        Assert.Null(new FileInfo(Path.Combine(hub.Snapshot, "model.safetensors")).LinkTarget);
        Assert.Equal(hub.Snapshot, BaseModelLocator.Locate("org/tiny", [hub.Cache]).Directory);
    }

    [Fact]
    public async Task A_file_in_the_place_of_a_link_is_replaced()
    {
        Directory.CreateDirectory(hub.Snapshot);
        File.WriteAllText(Path.Combine(hub.Snapshot, "config.json"), "old");
        File.CreateSymbolicLink(Path.Combine(hub.Snapshot, "model.safetensors"), "../../blobs/gone");
        await hub.Fetch();
        hub.AssertComplete();
    }

    [Fact]
    public async Task A_folder_that_is_a_link_elsewhere_is_not_written_into()
    {
        hub.Server.Files["additional_chat_templates/x.jinja"] = [1];
        string outside = Directory.CreateDirectory(Path.Combine(hub.Directory, "outside")).FullName;
        Directory.CreateDirectory(hub.Snapshot);
        Directory.CreateSymbolicLink(Path.Combine(hub.Snapshot, "additional_chat_templates"), outside);
        await Assert.ThrowsAsync<IOException>(() => hub.Fetch());
        Assert.Empty(Directory.EnumerateFileSystemEntries(outside));
    }

    [Fact]
    public async Task A_plan_tells_the_sizes_and_fetches_nothing()
    {
        FetchPlan plan = await hub.Plan();
        Assert.Equal(("apache-2.0", LoopbackHub.Commit), (plan.License, plan.Commit));
        Assert.Equal(hub.Server.Files.Where(f => f.Key != "README.md").Sum(f => f.Value.Length), plan.BytesToFetch);
        Assert.All(plan.Files, f => Assert.False(f.IsCached));
        Assert.False(Directory.Exists(hub.Cache));
        Assert.Equal(0, hub.Server.BytesServed);

        await hub.Fetch();
        Assert.Equal(0, (await hub.Plan()).BytesToFetch);
    }

    [Fact]
    public async Task Without_room_nothing_is_fetched()
    {
        string message = await hub.Fails("LB0065", hub.Options(freeBytes: 1_000_000));
        Assert.Contains("1 MB free", message, StringComparison.Ordinal);
        Assert.Equal(0, hub.Server.BytesServed);
    }

    [Fact]
    public async Task Offline_nothing_is_asked()
    {
        Assert.Contains("HF_HUB_OFFLINE", await hub.Fails("LB0056", hub.Options(isOffline: true)), StringComparison.Ordinal);
        Assert.Empty(hub.Server.Requests);
    }

    [Fact]
    public async Task Two_fetches_at_once_fetch_each_file_once()
    {
        await Task.WhenAll(hub.Fetch(), hub.Fetch());
        hub.AssertComplete();
        Assert.Equal(hub.Server.Files.Where(f => f.Key != "README.md").Sum(f => f.Value.Length), hub.Server.BytesServed);
    }

    [Fact]
    public async Task A_lock_of_another_program_is_waited_for()
    {
        string path = Path.Combine(hub.Cache, ".locks", "models--org--tiny", LoopbackHub.Sha256(hub.Server.Files["model.safetensors"]) + ".lock");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Task<FetchedModel> fetch;
        using (new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            fetch = hub.Fetch();
            while (!IsWaiting())
                await Task.Delay(10);
            Assert.False(File.Exists(hub.WeightBlob));
        }

        await fetch;
        hub.AssertComplete();

        bool IsWaiting()
        {
            lock (hub.Messages)
                return hub.Messages.Exists(m => m.Contains("another process fetches model.safetensors", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Progress_is_told_once_a_second()
    {
        TickingTime time = new(TimeSpan.FromMilliseconds(100));
        await hub.Fetch(hub.Options(time: time));
        Assert.NotEmpty(hub.Steps);
        Assert.True(hub.Steps.Count <= hub.Server.FileRequests.Count(), "no more than one of ten calls");
        HubProgress last = hub.Steps[^1];
        Assert.Equal(("org/tiny", hub.Server.Files.Where(f => f.Key != "README.md").Sum(f => f.Value.Length)), (last.Model, last.Total));
        Assert.InRange(last.Done, 1, last.Total);
        Assert.True(last.BytesPerSecond > 0 && last.TimeLeft is not null);
    }

    public void Dispose() => hub.Dispose();

    /// <summary>Every look at the clock takes the same time.</summary>
    private sealed class TickingTime(TimeSpan tick) : TimeProvider
    {
        private long now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Add(ref now, tick.Ticks);
    }
}
