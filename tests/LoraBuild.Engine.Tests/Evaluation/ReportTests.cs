// evaluation.json and samples.md.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Merging;

namespace LoraBuild.Engine.Tests.Evaluation;

public sealed class ReportTests
{
    [Fact]
    public void The_parts_of_the_stages_make_one_report_of_the_promised_form()
    {
        using TemporaryDirectory directory = new();
        string At(string name) => Path.Combine(directory.Path, name);
        EvaluationResult before = new(2, Math.Exp(2), 9), after = new(1, Math.E, 9);
        EvaluationReport.WriteTrained(At("evaluations/trained.json"), before, after);
        EvaluationReport.WriteMerged(At("evaluations/merged.json"), after, new MergeDriftReport(1e-5, 1e-3, 3, 3.03, 0.02, 40, 30));
        EvaluationReport.WriteGguf(At("evaluations/gguf.json"), after, new Dictionary<string, EvaluationResult> { ["q8_0"] = before, ["f16"] = after });
        string path = At(EvaluationReport.FileName);

        EvaluationReport.Compose(path, [At("evaluations/trained.json")]);
        JsonObject plain = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.Equal(["base", "adapter"], plain.Select(p => p.Key));
        Assert.Equal(Math.E, (double)plain["adapter"]!["perplexity"]!);
        Assert.Equal(9, (long)plain["base"]!["tokens"]!);

        EvaluationReport.Compose(path, [At("evaluations/trained.json"), At("evaluations/merged.json"), At("evaluations/gguf.json")]);
        JsonObject full = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        Assert.Equal(["base", "adapter", "merged", "gguf"], full.Select(p => p.Key));
        Assert.Equal(["f16", "q8_0"], full["gguf"]!.AsObject().Select(p => p.Key));
        Assert.Equal((1, 0.01), ((double)full["merged"]!["loss"]!, Math.Round((double)full["merged"]!["drift"]!["perplexity"]!, 6)));
        Assert.Equal((0.0, Math.Round(Math.E - 1, 12)), ((double)full["gguf"]!["f16"]!["perplexity_increase"]!, Math.Round((double)full["gguf"]!["q8_0"]!["perplexity_increase"]!, 12)));
        Assert.Equal(after, EvaluationReport.ReadMerged(At("evaluations/merged.json")));
        Assert.Null(EvaluationReport.ReadMerged(At("evaluations/none.json")));

        DateTime written = File.GetLastWriteTimeUtc(path);
        EvaluationReport.Compose(path, [At("evaluations/trained.json"), At("evaluations/merged.json"), At("evaluations/gguf.json")]);
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
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
