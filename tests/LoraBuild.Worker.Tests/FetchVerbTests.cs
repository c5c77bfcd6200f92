// `lorabuild fetch` against a hub on this machine.
using System.Text.Json.Nodes;
using LoraBuild.Tests.Shared;

namespace LoraBuild.Worker.Tests;

public sealed class FetchVerbTests : IDisposable
{
    private readonly WorkerFixture worker = new();
    private readonly LoopbackHub hub = new();

    public FetchVerbTests()
    {
        hub.Files["config.json"] = "{}"u8.ToArray();
        hub.Files["tokenizer.json"] = "{\"a\": 1}"u8.ToArray();
        hub.Files["model.safetensors"] = new byte[5000];
        worker.Variables["HF_ENDPOINT"] = hub.Address.AbsoluteUri;
        worker.Variables["HF_HOME"] = worker.In("home");
        worker.Variables["HF_TOKEN"] = "hf_secret";
    }

    private string Snapshot => worker.In("home", "hub", "models--org--tiny", "snapshots", LoopbackHub.Commit);

    [Fact]
    public void It_prints_the_directory_and_tells_what_it_did_on_standard_error()
    {
        Outcome outcome = worker.Run("", "fetch", "org/tiny");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Equal(Snapshot + "\n", outcome.Output);
        Assert.Contains($"commit {LoopbackHub.Commit}", outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("hf_secret", outcome.Output + outcome.Error, StringComparison.Ordinal);

        Outcome again = worker.Run("", "fetch", "org/tiny", "--json");
        Assert.Contains("org/tiny: up to date", again.Error, StringComparison.Ordinal);
        JsonNode json = Assert.Single(again.Lines);
        Assert.Equal((Snapshot, LoopbackHub.Commit, "main", 0), ((string)json["directory"]!, (string)json["commit"]!, (string)json["revision"]!, (int)json["bytes_received"]!));
    }

    [Fact]
    public void List_shows_what_would_be_fetched()
    {
        Outcome table = worker.Run("", "fetch", "org/tiny", "--list");
        Assert.Contains("license apache-2.0", table.Output, StringComparison.Ordinal);
        Assert.Matches(@"model\.safetensors\s+5,000\s+to fetch", table.Output);
        JsonNode json = Assert.Single(worker.Run("", "fetch", "org/tiny", "--list", "--json").Lines);
        Assert.Equal(["config.json", "tokenizer.json", "model.safetensors"], json["files"]!.AsArray().Select(f => (string)f!["name"]!));
        Assert.False(Directory.Exists(worker.In("home")));
    }

    [Fact]
    public void If_missing_asks_nothing_of_the_network_when_the_cache_has_it()
    {
        Assert.Equal(0, worker.Run("", "fetch", "org/tiny", "--if-missing").ExitCode);
        hub.ForgetRequests();
        Outcome outcome = worker.Run("", "fetch", "org/tiny", "--if-missing");
        Assert.Equal((0, Snapshot + "\n"), (outcome.ExitCode, outcome.Output));
        Assert.Empty(hub.Requests);

        File.Delete(Path.Combine(Snapshot, "model.safetensors"));
        Assert.Equal(0, worker.Run("", "fetch", "org/tiny", "--if-missing").ExitCode);
        Assert.True(File.Exists(Path.Combine(Snapshot, "model.safetensors")));
        Assert.Empty(hub.FileRequests);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Without_a_hub_it_takes_what_the_cache_holds_and_says_so(bool isForbidden)
    {
        void CutOff()
        {
            if (isForbidden)
                worker.Variables["HF_HUB_OFFLINE"] = "1";
            else
                hub.Tamper = (_, _) => HubReply.Of(503, "", ("Retry-After", "36000"));
        }

        Assert.Equal(0, worker.Run("", "fetch", "org/tiny").ExitCode);
        CutOff();
        Outcome outcome = worker.Run("", "fetch", "org/tiny");
        Assert.Equal((0, Snapshot + "\n"), (outcome.ExitCode, outcome.Output));
        Assert.Contains($"warning LB0067: where org/tiny stands now is not known", outcome.Error, StringComparison.Ordinal);

        // What is not there, or not all, is still an error; a commit is known without a hub.
        Assert.Equal(1, worker.Run("", "fetch", "org/tiny@other").ExitCode);
        Outcome commit = worker.Run("", "fetch", $"org/tiny@{LoopbackHub.Commit}");
        Assert.Equal((0, Snapshot + "\n"), (commit.ExitCode, commit.Output));
        Assert.DoesNotContain("LB0067", commit.Error, StringComparison.Ordinal);
        File.Delete(Path.Combine(Snapshot, "model.safetensors"));
        Assert.Equal(1, worker.Run("", "fetch", "org/tiny").ExitCode);
    }

    [Fact]
    public void A_recipe_gets_its_base_model_and_tokenizer_and_a_wrong_one_is_told_at_its_line()
    {
        File.WriteAllText(worker.In("r.yaml"), "base:\n  model: org/tiny\n  weights: random\n  tokenizer: org/tiny\ndataset: { sources: [{ path: d.jsonl }] }\n");
        Outcome outcome = worker.Run("", "fetch", "--recipe", "r.yaml");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.DoesNotContain(hub.FileRequests, r => r.Path.EndsWith(".safetensors", StringComparison.Ordinal));

        Outcome wrong = worker.Run("", "fetch", "--recipe", "r.yaml", "--set", "base.tokenizer=org/other");
        Assert.Equal(1, wrong.ExitCode);
        Assert.Contains("error LB0060", wrong.Error, StringComparison.Ordinal);
        File.AppendAllText(worker.In("r.yaml"), "# nothing\n");
        hub.Tamper = (_, _) => HubReply.Of(403, "", ("X-Error-Code", "GatedRepo"));
        Assert.Contains("r.yaml(2,10): error LB0058", worker.Run("", "fetch", "--recipe", "r.yaml").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_recipe_with_a_directory_needs_nothing()
    {
        worker.Model();
        File.WriteAllText(worker.In("r.yaml"), "base: { model: ./model }\ndataset: { sources: [{ path: d.jsonl }] }\n");
        Outcome outcome = worker.Run("", "fetch", "--recipe", "r.yaml");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains("names no model of the hub", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_name_it_says_what_it_needs()
    {
        Outcome outcome = worker.Run("", "fetch");
        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains("LB0820", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_fetched_is_what_other_verbs_find()
    {
        worker.Model();
        hub.Files.Clear();
        foreach (string file in Directory.EnumerateFiles(worker.In("model")))
            hub.Files[Path.GetFileName(file)] = File.ReadAllBytes(file);
        Outcome before = worker.Run("", "perplexity", "--model", "org/tiny", "--text", "x");
        Assert.Contains("lorabuild fetch org/tiny (a build does so itself with -p:FetchModels=true)", before.Error, StringComparison.Ordinal);
        Assert.Equal(0, worker.Run("", "fetch", "org/tiny").ExitCode);
        File.WriteAllText(worker.In("x.txt"), "some words");
        Outcome after = worker.Run("", "perplexity", "--model", "org/tiny", "--text", "x.txt", "--threads", "1");
        Assert.True(after.ExitCode == 0, after.Error);
    }

    public void Dispose()
    {
        worker.Dispose();
        hub.Dispose();
    }
}
