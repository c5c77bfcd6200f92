// A hub that cuts off, lies, refuses and dawdles: the bytes are right in the end, or a diagnostic says why there are none.
using System.Text.Json.Nodes;
using LoraBuild.Core.Hub;
using LoraBuild.Tests.Shared;

namespace LoraBuild.Core.Tests.Hub;

public sealed class MisbehavingHubTests : IDisposable
{
    private const string Secret = "hf_secretsecret";
    private readonly HubFixture hub = new();
    private int served;

    [Fact]
    public async Task A_file_that_is_cut_off_goes_on_where_it_stopped()
    {
        TamperWeights((request, reply) => Interlocked.Increment(ref served) % 2 == 1 ? reply with { CutAfter = reply.Body.Length / 2 } : reply);
        await hub.Fetch();
        hub.AssertComplete();
        Assert.Equal(AllBytes, hub.Server.BytesServed);
    }

    [Fact]
    public async Task A_server_that_always_cuts_off_is_given_up_and_what_came_is_kept()
    {
        TamperWeights((_, reply) => reply with { CutAfter = 0 });
        Assert.Contains("Given up after 5 attempt(s)", await hub.Fails("LB0057"), StringComparison.Ordinal);
        Assert.Equal([1, 2, 4, 8], hub.Waits.Select(w => w.TotalSeconds));
        Assert.True(File.Exists(hub.WeightBlob + ".incomplete"));
        Assert.False(File.Exists(Path.Combine(hub.Repository, "refs", "main")), "an unfinished revision is not announced");
    }

    [Fact]
    public async Task A_file_with_another_hash_is_fetched_anew_and_then_refused()
    {
        TamperWeights((_, reply) => reply with { Body = [.. reply.Body.Select(b => (byte)(b ^ 1))] });
        Assert.Contains("twice: its SHA-256 is", await hub.Fails("LB0064"), StringComparison.Ordinal);
        Assert.False(File.Exists(hub.WeightBlob));
        Assert.Equal(0, new FileInfo(hub.WeightBlob + ".incomplete").Length);

        hub.Server.Tamper = (_, reply) => reply;
        await hub.Fetch();
        hub.AssertComplete();
    }

    [Fact]
    public async Task A_small_file_with_another_hash_is_refused_too()
    {
        hub.Server.Tamper = (request, reply) => request.Path.EndsWith("/config.json", StringComparison.Ordinal) ? reply with { Body = "[]"u8.ToArray() } : reply;
        Assert.Contains("config.json is not the file that the hub lists, twice: its Git hash is", await hub.Fails("LB0064"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_part_that_was_damaged_once_costs_one_more_attempt()
    {
        TamperWeights((_, reply) => Interlocked.Increment(ref served) == 4 ? reply with { Body = new byte[reply.Body.Length] } : reply);
        await hub.Fetch();
        hub.AssertComplete();
        Assert.Contains(hub.Messages, m => m.Contains("fetching it from the start", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_file_of_another_length_is_refused()
    {
        TamperWeights((_, reply) =>
        {
            reply.Headers["Content-Range"] = reply.Headers["Content-Range"].Replace("/10000", "/12345", StringComparison.Ordinal);
            return reply;
        });
        Assert.Contains("the server's file has 12,345 bytes, its listing says 10,000", await hub.Fails("LB0064"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_part_of_another_place_is_refused()
    {
        TamperWeights((_, reply) =>
        {
            reply.Headers["Content-Range"] = "bytes 0-1023/10000";
            return reply;
        });
        Assert.Contains("asked for bytes 1024–2047, the server sends bytes 0-1023/10000", await hub.Fails("LB0064"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_changes_between_two_parts_is_fetched_anew()
    {
        TamperWeights((_, reply) =>
        {
            if (Interlocked.Increment(ref served) > 2)
                reply.Headers["ETag"] = "\"new\"";
            return reply;
        });
        await hub.Fetch();
        hub.AssertComplete();
        Assert.Contains(hub.Messages, m => m.Contains("changed on the server", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_mirror_whose_machines_give_different_ETags_is_believed_by_the_hash()
    {
        TamperWeights((_, reply) =>
        {
            reply.Headers["ETag"] = $"\"{Interlocked.Increment(ref served)}\"";
            return reply;
        });
        await hub.Fetch();
        hub.AssertComplete();
    }

    [Fact]
    public async Task Too_many_requests_are_waited_out_as_long_as_the_server_asks()
    {
        hub.Server.Tamper = (_, reply) => Interlocked.Increment(ref served) == 1 ? HubReply.Of(429, "", ("Retry-After", "17")) : reply;
        await hub.Fetch();
        Assert.Equal([17], hub.Waits.Select(w => w.TotalSeconds));
        Assert.Contains(hub.Messages, m => m.Contains("429 (too many requests); trying again in 17 s", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Retry_After_may_be_a_date_and_too_long_a_time_is_not_waited()
    {
        FixedTime time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        hub.Server.Tamper = (_, reply) => Interlocked.Increment(ref served) == 1 ? HubReply.Of(503, "", ("Retry-After", "Fri, 02 Jan 2026 03:04:35 GMT")) : reply;
        await hub.Fetch(hub.Options(time: time));
        Assert.Equal([30], hub.Waits.Select(w => w.TotalSeconds));

        hub.Server.Tamper = (_, _) => HubReply.Of(429, "", ("Retry-After", "36000"));
        Assert.Contains("It asks to come back in 600 minutes", await hub.Fails("LB0057"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_fails_twice_is_asked_again()
    {
        hub.Server.Tamper = (_, reply) => Interlocked.Increment(ref served) switch { 1 => HubReply.Of(500), 2 => HubReply.Of(502), _ => reply };
        await hub.Fetch();
        hub.AssertComplete();
        Assert.Equal([1, 2], hub.Waits.Select(w => w.TotalSeconds));
    }

    [Fact]
    public async Task The_token_goes_to_the_hub_and_not_where_the_hub_redirects_to()
    {
        using LoopbackHub contents = Contents();
        await hub.Fetch(hub.Options(token: Secret));
        hub.AssertComplete();
        Assert.All(hub.Server.Requests, r => Assert.Equal("Bearer " + Secret, r.Header("Authorization")));
        Assert.NotEmpty(contents.Requests);
        Assert.All(contents.Requests, r => Assert.Null(r.Header("Authorization")));
        Assert.Single(hub.Server.FileRequests, r => r.Path.EndsWith("model.safetensors", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_address_that_has_run_out_is_asked_for_again()
    {
        using LoopbackHub contents = Contents();
        contents.Tamper = (_, reply) => Interlocked.Increment(ref served) == 3 ? HubReply.Of(403, "expired") : reply;
        await hub.Fetch();
        hub.AssertComplete();
        // As many parts as were under way may ask.
        Assert.InRange(hub.Server.FileRequests.Count(r => r.Path.EndsWith("model.safetensors", StringComparison.Ordinal)), 2, 4);
    }

    [Fact]
    public async Task A_redirect_in_circles_ends()
    {
        hub.Server.Tamper = (request, _) => HubReply.Of(307, "", ("Location", request.Target));
        Assert.Contains("redirects more than 8 times", await hub.Fails("LB0057"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_to_a_file_is_not_followed()
    {
        hub.Server.Tamper = (_, _) => HubReply.Of(302, "", ("Location", "file:///etc/passwd"));
        Assert.Contains("redirects to file://", await hub.Fails("LB0057"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(401, "GatedRepo", null, "LB0058", "No token is set. Accept the license at http://127.0.0.1")]
    [InlineData(403, "GatedRepo", Secret, "LB0058", "has not been given access")]
    [InlineData(401, "RepoNotFound", null, "LB0060", "there is no model org/tiny")]
    [InlineData(404, "RepoNotFound", Secret, "LB0060", "The token that is used may not see it")]
    [InlineData(401, null, Secret, "LB0059", "is not valid, has expired")]
    [InlineData(403, "DisabledRepo", null, "LB0059", "Set HF_TOKEN")]
    public async Task A_refusal_says_what_to_do(int status, string? errorCode, string? token, string code, string words)
    {
        hub.Server.Tamper = (_, _) => HubReply.Of(status, "", errorCode is null ? [("X-Error-Message", "Invalid credentials.")] : [("X-Error-Code", errorCode), ("X-Error-Message", "Go away.")]);
        string message = await hub.Fails(code, hub.Options(token: token));
        Assert.Contains(words, message, StringComparison.Ordinal);
        Assert.Contains("The hub says: ", message, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, message, StringComparison.Ordinal);
        Assert.Single(hub.Server.Requests);
    }

    [Fact]
    public async Task A_file_may_be_gated_although_the_listing_is_not()
    {
        TamperWeights((_, _) => HubReply.Of(403, "", ("X-Error-Code", "GatedRepo")));
        await hub.Fails("LB0058");
    }

    [Fact]
    public async Task A_revision_that_is_not_there_gives_those_that_are()
    {
        string message = await hub.Fails("LB0061", name: "org/tiny@v1.O");
        Assert.Equal("org/tiny has no revision v1.O. Did you mean org/tiny@v1.0? It has: main, v1.0, v2.0. A revision is a branch, a tag, or a whole commit.", message);
    }

    [Fact]
    public async Task A_server_without_ranges_is_read_as_a_whole()
    {
        TamperWeights((_, reply) => Whole(reply));
        FetchedModel fetched = await hub.Fetch();
        hub.AssertComplete();
        Assert.Equal(AllBytes, fetched.Received);
    }

    [Fact]
    public async Task A_server_without_ranges_that_cuts_off_is_read_on_from_the_start()
    {
        TamperWeights((_, reply) => Whole(reply) with { CutAfter = Interlocked.Increment(ref served) switch { 2 => 3000, 3 => 7000, _ => null } });
        FetchedModel fetched = await hub.Fetch();
        hub.AssertComplete();
        Assert.Equal(AllBytes, fetched.Received);
    }

    [Fact]
    public async Task A_server_that_says_nothing_counts_as_cut()
    {
        TamperWeights((_, reply) => Interlocked.Increment(ref served) == 2 ? reply with { Pause = TimeSpan.FromMinutes(1) } : reply);
        await hub.Fetch(hub.Options(stallSeconds: 0.3));
        hub.AssertComplete();
        Assert.Contains(hub.Messages, m => m.Contains("127.0.0.1 sent nothing for 0.3 s; trying again in 1 s", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("../../evil.json")]
    [InlineData("/etc/evil.json")]
    [InlineData("a/../../evil.json")]
    [InlineData("..\\evil.json")]
    [InlineData("C:/evil.json")]
    [InlineData("a//b.json")]
    [InlineData("./x.json")]
    [InlineData("x\u0000.json")]
    [InlineData("")]
    public async Task A_file_name_that_leads_elsewhere_stops_everything(string name)
    {
        hub.Server.Files[name] = [1, 2, 3];
        await hub.Fails("LB0063");
        Assert.Equal(0, hub.Server.BytesServed);
        Assert.False(Directory.Exists(hub.Cache));
    }

    [Theory]
    [InlineData("../x.safetensors")]
    [InlineData("/x.safetensors")]
    [InlineData("x.bin")]
    public async Task An_index_that_names_files_elsewhere_is_refused(string shard)
    {
        hub.Server.Files.Remove("model.safetensors");
        hub.Server.Files["model.safetensors.index.json"] = System.Text.Encoding.UTF8.GetBytes($$"""{"weight_map": {"a": "{{shard}}"} }""");
        Assert.Contains($"the index names '{shard}'", await hub.Fails("LB0063"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"sha": "../../x", "siblings": []}""")]
    [InlineData("""{"siblings": []}""")]
    [InlineData("""{"sha": "0123456789abcdef0123456789abcdef01234567"}""")]
    [InlineData("""[1, 2]""")]
    [InlineData("""<html>a captive portal</html>""")]
    public async Task An_answer_that_is_no_listing_is_refused(string listing)
    {
        TamperListing(_ => HubReply.Of(200, listing));
        Assert.Contains("Is HF_ENDPOINT the address of a Hugging Face hub?", await hub.Fails("LB0063"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../../etc/passwd")]
    [InlineData("ABCD")]
    public async Task A_hash_that_is_none_never_becomes_a_path(string hash)
    {
        JsonObject listing = hub.Server.Listing();
        foreach (JsonNode? file in listing["siblings"]!.AsArray())
            (file!["blobId"], file["lfs"]) = (hash, new JsonObject { ["sha256"] = hash });
        TamperListing(_ => HubReply.Of(200, listing.ToJsonString()));
        Assert.Contains("gives no size or no hash", await hub.Fails("LB0063"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_endless_listing_is_not_read_to_its_end()
    {
        TamperListing(_ => new HubReply(200, new byte[HubListing.MaxBytes + 1], []));
        Assert.Contains("it has more than 34 MB", await hub.Fails("LB0063"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pytorch_model.bin", "pickle files (*.bin)")]
    [InlineData("consolidated.00.pth", "pickle files (*.pth)")]
    [InlineData("model-Q8_0.gguf", "GGUF files only")]
    public async Task A_repository_without_safetensors_says_what_it_has(string file, string words)
    {
        hub.Server.Files.Remove("model.safetensors");
        hub.Server.Files[file] = [1];
        Assert.Contains(words, await hub.Fails("LB0062"), StringComparison.Ordinal);
        Assert.Equal(0, hub.Server.BytesServed);
    }

    [Fact]
    public async Task An_adapter_is_no_base_model()
    {
        hub.Server.Files.Remove("config.json");
        hub.Server.Files["adapter_config.json"] = [1];
        Assert.Contains("It holds an adapter", await hub.Fails("LB0062"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hub_that_cannot_be_reached_says_where_it_was_looked_for()
    {
        hub.Server.StopListening();
        string message = await hub.Fails("LB0057");
        Assert.Contains("127.0.0.1 cannot be reached", message, StringComparison.Ordinal);
        Assert.Contains("HTTPS_PROXY", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelled_in_the_middle_the_next_run_fetches_only_the_rest()
    {
        using CancellationTokenSource cancellation = new();
        TamperWeights((_, reply) =>
        {
            if (Interlocked.Increment(ref served) == 6)
                cancellation.Cancel();
            return reply;
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => hub.Fetch(cancellation: cancellation.Token));
        byte[] begun = File.ReadAllBytes(hub.WeightBlob + ".incomplete");
        Assert.InRange(begun.Length, 2048, 6 * 1024);
        Assert.Equal(hub.Server.Files["model.safetensors"][..begun.Length], begun);
        Assert.False(Directory.Exists(Path.Combine(hub.Repository, "refs")));

        hub.Server.ForgetRequests();
        FetchedModel fetched = await hub.Fetch();
        hub.AssertComplete();
        Assert.Equal(HubFixture.WeightBytes - begun.Length, fetched.Received);
        Assert.Equal(fetched.Received, hub.Server.BytesServed);
    }

    [Fact]
    public async Task A_beginning_that_another_program_left_is_gone_on_with()
    {
        byte[] weights = hub.Server.Files["model.safetensors"];
        Directory.CreateDirectory(Path.GetDirectoryName(hub.WeightBlob)!);
        File.WriteAllBytes(hub.WeightBlob + ".incomplete", weights[..7777]);
        Assert.Equal(7777, (await hub.Plan()).Files.Single(f => f.File.Name == "model.safetensors").PartialBytes);
        await hub.Fetch();
        hub.AssertComplete();
        Assert.Equal(7777, hub.Server.FileRequests.First(r => r.Path.EndsWith("model.safetensors", StringComparison.Ordinal)).Range!.Value.First);
    }

    [Theory]
    [InlineData(5000)]
    [InlineData(10_000)]
    [InlineData(20_000)]
    public async Task A_wrong_beginning_costs_one_more_attempt(int length)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(hub.WeightBlob)!);
        File.WriteAllBytes(hub.WeightBlob + ".incomplete", new byte[length]);
        await hub.Fetch();
        hub.AssertComplete();
    }

    [Fact]
    public async Task A_small_part_size_gives_the_same_bytes_as_one_part()
    {
        await hub.Fetch(hub.Options(partBytes: 1 << 20));
        hub.AssertComplete();
        Assert.Null(hub.Server.FileRequests.Single(r => r.Path.EndsWith("model.safetensors", StringComparison.Ordinal)).Range);
    }

    public void Dispose() => hub.Dispose();

    private long AllBytes => hub.Server.Files.Where(f => f.Key != "README.md").Sum(f => f.Value.Length);

    private LoopbackHub Contents()
    {
        LoopbackHub contents = new();
        contents.Files["weights"] = hub.Server.Files["model.safetensors"];
        hub.Server.Contents = contents;
        return contents;
    }

    private HubReply Whole(HubReply reply) => reply with { Status = 200, Body = hub.Server.Files["model.safetensors"], Headers = new() { ["ETag"] = reply.Headers["ETag"] } };

    private void TamperWeights(Func<HubRequest, HubReply, HubReply> tamper) =>
        hub.Server.Tamper = (request, reply) => request.Path.EndsWith("model.safetensors", StringComparison.Ordinal) ? tamper(request, reply) : reply;

    private void TamperListing(Func<HubReply, HubReply> tamper) =>
        hub.Server.Tamper = (request, reply) => request.Path.Contains("/revision/", StringComparison.Ordinal) ? tamper(reply) : reply;

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
