// evaluation.json and samples.md.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Evaluation;

namespace LoraBuild.Engine.Tests.Evaluation;

public sealed class ReportTests
{
    [Fact]
    public void The_evaluation_report_has_the_promised_form()
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, EvaluationReport.FileName);
        EvaluationReport report = new(new EvaluationResult(2, Math.Exp(2), 9), new EvaluationResult(1, Math.E, 9));
        report.Write(path);
        JsonObject plain = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.Equal(["base", "adapter"], plain.Select(p => p.Key));
        Assert.Equal(Math.E, (double)plain["adapter"]!["perplexity"]!);
        Assert.Equal(9, (long)plain["base"]!["tokens"]!);

        (report with { Merged = report.Adapter, Gguf = new Dictionary<string, EvaluationResult> { ["q8_0"] = report.Base, ["f16"] = report.Adapter } }).Write(path);
        JsonObject full = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.Equal(["f16", "q8_0"], full["gguf"]!.AsObject().Select(p => p.Key));
        Assert.Equal(1, (double)full["merged"]!["loss"]!);
    }

    [Fact]
    public void Answers_cannot_break_the_page_of_samples()
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, SamplesReport.FileName);
        IReadOnlyList<Sample> samples = SamplesReport.Collect([("Hi\nthere", "Hello")], p => "# no heading\n\n```", p => p.ToUpperInvariant());
        SamplesReport.Write(path, "Before and after", samples);
        Assert.Equal(
            """
            # Before and after

            ## Hi there

            **Before:**

            > # no heading
            >
            > ```

            **After:**

            > HI
            > THERE

            **In the data:**

            > Hello

            """.ReplaceLineEndings("\n"),
            File.ReadAllText(path));
    }
}
