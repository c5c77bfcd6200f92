using System.Text.Json.Nodes;

namespace LoraBuild.Worker.Tests;

public sealed class CommandLineTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    [Theory]
    [InlineData]
    [InlineData("no-such-verb")]
    [InlineData("tokenize", "--no-such-option")]
    [InlineData("train", "--recipe", "x.yaml")]
    [InlineData("train", "--recipe", "x.yaml", "--output", "o", "--threads", "0")]
    [InlineData("train", "--recipe", "x.yaml", "--output", "o", "--device", "tpu")]
    [InlineData("train", "--recipe", "x.yaml", "--output", "o", "--resume", "--no-resume")]
    [InlineData("merge", "--output", "o")]
    [InlineData("export-gguf", "--output", "o")]
    [InlineData("perplexity", "--model", "m")]
    [InlineData("render")]
    public void Wrong_usage_is_exit_code_2_and_says_so(params string[] arguments)
    {
        worker.Model();
        System.IO.Directory.Move(worker.In("model"), worker.In("m"));
        Outcome outcome = worker.Run("", arguments);
        Assert.True(outcome.ExitCode == 2, outcome.Error);
        Assert.Contains("error LB0820:", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_verb_has_help()
    {
        foreach (string verb in new[] { "prepare", "template", "train", "evaluate", "merge", "export-gguf", "plan", "perplexity", "generate", "chat", "logits", "tokenize", "detokenize", "render", "jinja", "inspect", "fingerprint", "version" })
        {
            Outcome outcome = worker.Run("", verb, "--help");
            Assert.Equal(0, outcome.ExitCode);
            Assert.Contains($"lorabuild {verb}", outcome.Output.Replace("testhost", "lorabuild", StringComparison.Ordinal), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_diagnostic_names_file_and_place_on_standard_error()
    {
        File.WriteAllText(worker.In("r.yaml"), "base: { model: m }\ndataset: { sources: [{ path: d.jsonl }] }\ntrain:\n  learning_rat: 1\n");
        Outcome outcome = worker.Run("", "prepare", "--recipe", "r.yaml", "--output", "o");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Matches(@"r\.yaml\(4,3\): error LB\d{4}: .*learning_rate", outcome.Error);
        Assert.Empty(outcome.Output);
    }

    [Fact]
    public void With_events_the_same_diagnostic_is_a_JSON_line()
    {
        File.WriteAllText(worker.In("r.yaml"), "base: { model: m }\ndataset: { sources: [{ path: d.jsonl }] }\ntrain:\n  learning_rat: 1\n");
        Outcome outcome = worker.Run("", "fingerprint", "--recipe", "r.yaml", "--output", "o", "--events");
        Assert.Equal(1, outcome.ExitCode);
        JsonNode e = Assert.Single(outcome.Lines);
        Assert.Equal(("diagnostic", "error", 4, 3), ((string)e["event"]!, (string)e["severity"]!, (int)e["line"]!, (int)e["column"]!));
        Assert.EndsWith("r.yaml", (string)e["file"]!, StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_file_runs_the_same_code()
    {
        File.WriteAllText(worker.In("request.json"), """{"verb": "jinja", "options": {"now": ["2025-01-05T15:04:09"]}}""");
        Outcome outcome = worker.Run("""{"template": "{{ strftime_now('%Y') }}"}""", "--request", "request.json");
        Assert.Equal("2025", (string)Assert.Single(outcome.Lines)["text"]!);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{\"options\": {}}")]
    public void A_request_of_another_form_is_refused(string request)
    {
        File.WriteAllText(worker.In("request.json"), request);
        Outcome outcome = worker.Run("", "--request", "request.json");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("error LB0821:", outcome.Error, StringComparison.Ordinal);
    }

    public void Dispose() => worker.Dispose();
}
