// `template` by hand: its summary, warnings that are errors, and the examples of --show.
using System.Text.Json.Nodes;
using VerifyXunit;

namespace LoraBuild.Worker.Tests;

public sealed class TemplateVerbTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    public TemplateVerbTests()
    {
        worker.Model();
        File.WriteAllLines(worker.In("data.jsonl"), Enumerable.Range(0, 9).Select(i => $$"""{"messages": [{"role": "user", "content": "{{new string('?', i)}} <|im_end|> {{i}}"}, {"role": "assistant", "content": "it is  {{i}}\n"}]}"""));
        File.WriteAllText(worker.In("recipe.yaml"), """
            base: { model: ./model }
            dataset:
              sources: [{ path: data.jsonl, format: messages }]
              split: { eval: 0 }
            template: { max_length: 128 }

            """);
    }

    public void Dispose() => worker.Dispose();

    [Fact]
    public void The_summary_says_in_a_few_lines_what_will_be_trained()
    {
        Outcome outcome = Template();
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        string[] lines = outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("template: 9 documents to train on, 0 held out, 0 for testing; 0 left out", lines);
        Assert.Contains(lines, l => l.StartsWith("  batches ", StringComparison.Ordinal) && l.Contains("packed rows of 128", StringComparison.Ordinal));
        Assert.Contains("  ends     9 of 9 trained answers end with a token that is trained (<|im_end|>)", lines);
        Assert.Contains("  audit    1 kinds of warnings (LB0317); details in audit.json", lines);
        Assert.Single(lines, l => l.Contains("warning LB0317", StringComparison.Ordinal));
    }

    [Fact]
    public void The_packing_density_is_that_of_the_trainers_own_rows()
    {
        Assert.Equal(0, Template().ExitCode);
        JsonNode audit = JsonNode.Parse(File.ReadAllText(worker.In("out", "audit.json")))!;
        int rows = (int)audit["batches"]!["rows"]!;
        Assert.Equal(Math.Round((double)audit["train"]!["tokens"]! / (rows * 128), 4), (double)audit["batches"]!["packing_density"]!);
        Assert.Equal(0, Template("--set", "template.packing=false").ExitCode);
        audit = JsonNode.Parse(File.ReadAllText(worker.In("out", "audit.json")))!;
        Assert.Equal((9, 5), ((int)audit["batches"]!["rows"]!, (int)audit["batches"]!["micro_batches"]!));
        Assert.InRange((double)audit["batches"]!["padding_share"]!, 0.001, 0.5);
        Assert.Null(audit["batches"]!["packing_density"]);
    }

    [Theory]
    [InlineData("--warnings-as-errors")]
    [InlineData("--warn-as-error=LB0317")]
    public void A_warning_that_is_an_error_fails_the_stage_each_time_and_leaves_nothing(string option)
    {
        for (int i = 0; i < 2; i++)
        {
            Outcome outcome = Template(option);
            Assert.Equal(1, outcome.ExitCode);
            Assert.Contains($"{worker.In("data.jsonl")}(1): error LB0317: ", outcome.Error, StringComparison.Ordinal);
            Assert.False(File.Exists(worker.In("out", "stages", "template.json")));
            Assert.False(Directory.Exists(worker.In("out", "tokens")));
        }
    }

    [Fact]
    public void Silenced_and_excepted_warnings_fail_nothing()
    {
        Outcome excepted = Template("--warnings-as-errors", "--warn-not-as-error=LB0317");
        Assert.Equal(0, excepted.ExitCode);
        Assert.Contains("warning LB0317", excepted.Error, StringComparison.Ordinal);
        Outcome silent = Template("--warnings-as-errors", "--no-warn", "LB0317", "--force");
        Assert.Equal(0, silent.ExitCode);
        Assert.DoesNotContain("LB0317:", silent.Error, StringComparison.Ordinal);
        Assert.Contains("LB0317", File.ReadAllText(worker.In("out", "audit.json")), StringComparison.Ordinal);
    }

    [Fact]
    public Task Show_prints_the_shortest_the_median_and_the_longest_document_as_text()
    {
        Assert.Equal(0, Template().ExitCode);
        Outcome outcome = Template("--show", "3");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.DoesNotContain('\e', outcome.Output);
        return Verifier.Verify(outcome.Output);
    }

    [Fact]
    public void Colour_is_for_terminals_and_for_those_who_ask()
    {
        string coloured = Template("--show", "1", "--color", "always").Output;
        Assert.Contains("\e[1;32mit is··4↵\e[0m\n", coloured, StringComparison.Ordinal);
        Assert.Contains("\e[1;30;42m<|im_end|>\e[0m", coloured, StringComparison.Ordinal);
        Assert.Contains("\e[36m<|im_start|>\e[0m", coloured, StringComparison.Ordinal);
        Assert.DoesNotContain('⟦', coloured);
        Assert.DoesNotContain('\e', Template("--show", "1", "--color", "never").Output);
        Assert.Equal(2, Template("--show", "1", "--color", "green").ExitCode);
        Assert.Equal(2, Template("--show", "0").ExitCode);
    }

    private Outcome Template(params string[] arguments) => worker.Run("", ["template", "--recipe", "recipe.yaml", "--output", "out", "--threads", "1", .. Prepared(), .. arguments]);

    private string[] Prepared()
    {
        Assert.Equal(0, worker.Run("", "prepare", "--recipe", "recipe.yaml", "--output", "out").ExitCode);
        return [];
    }
}
