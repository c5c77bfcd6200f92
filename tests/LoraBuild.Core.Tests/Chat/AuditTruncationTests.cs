// What truncation takes away, what cannot be trained at all, and what a run that fails leaves behind.
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using static LoraBuild.Core.Tests.Chat.AuditFixture;

namespace LoraBuild.Core.Tests.Chat;

public sealed class AuditTruncationTests
{
    private static readonly string Short = Conversation("hi", "yo");
    private static readonly string LongAnswer = Conversation("hi", string.Concat(Enumerable.Repeat("word ", 60)));
    private static readonly string LongQuestion = Conversation(string.Concat(Enumerable.Repeat("word ", 60)), "yo");

    [Fact]
    public void A_cut_answer_warns_and_one_of_which_nothing_is_left_is_an_error_at_its_line()
    {
        using AuditFixture audit = new();
        IReadOnlyList<Diagnostic> errors = audit.Errors([Short, LongAnswer, LongQuestion, LongQuestion.Replace("yo", "ya", StringComparison.Ordinal)], Cut);
        Assert.Equal([("LB0313", 3), ("LB0313", 4)], errors.Select(e => (e.Code, e.Line)));
        Assert.All(errors, e => Assert.Equal(audit.Data.At("a.jsonl"), e.File));
        Assert.Equal(2, Assert.Single(audit.Findings, d => d.Code == "LB0315").Line);
    }

    [Fact]
    public void With_skip_they_are_left_out_and_listed()
    {
        using AuditFixture audit = new();
        AuditReport report = audit.Run([Short, LongQuestion, LongAnswer], r => Skip(Cut(r)));
        LeftOutDocument left = Assert.Single(report.LeftOut);
        Assert.Equal(("train", 2, "a.jsonl", 2, "LB0313"), (left.Split, left.DatasetLine, left.File, left.Line, left.Code));
        Assert.Equal((2, 1), (report.Train.Documents, report.Train.Skipped));
        Assert.Equal((2, 1), (report.Train.Truncation.Cut, report.Train.Truncation.CutAnswers));
        Assert.True(report.Train.Truncation.LostTargetTokens > 30);
        Assert.Equal(2, audit.Tokens().Count);
    }

    [Fact]
    public void A_cut_that_takes_no_target_away_is_silent()
    {
        using AuditFixture audit = new();
        AuditReport report = audit.Run(["""{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"},{"role":"user","content":"one two three four five six seven eight nine ten one two three four five six"},{"role":"assistant","content":"x","train":false}]}"""], Cut);
        Assert.Empty(audit.Findings);
        Assert.Equal((1, 0), (report.Train.Truncation.Cut, report.Train.Truncation.CutAnswers));
    }

    [Fact]
    public void When_nothing_at_all_can_be_trained_the_first_document_is_named()
    {
        using AuditFixture audit = new();
        IReadOnlyList<Diagnostic> errors = audit.Errors([LongQuestion], r => Skip(Cut(r)));
        Assert.Equal(("LB0312", audit.Data.At("a.jsonl"), 1), (errors[0].Code, errors[0].File!, errors[0].Line));
    }

    [Fact]
    public void All_errors_are_told_up_to_twenty_of_a_kind_and_the_rest_is_counted()
    {
        using AuditFixture audit = new();
        IReadOnlyList<Diagnostic> errors = audit.Errors(Enumerable.Range(0, 30).Select(i => LongQuestion.Replace("hi", $"hi {i}", StringComparison.Ordinal).Replace("yo", $"yo{i}", StringComparison.Ordinal)), Cut);
        Assert.Equal(20, errors.Count);
        Assert.Contains("10 more findings of LB0313", Assert.Single(audit.Findings, d => d.Code == "LB0110").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_fails_leaves_the_earlier_outputs_as_they_were()
    {
        using AuditFixture audit = new();
        audit.Run([Short]);
        byte[] tokens = File.ReadAllBytes(audit.Data.At("out/tokens/train.safetensors"));
        byte[] report = File.ReadAllBytes(audit.Audit);
        audit.Errors([Short, LongQuestion], Cut);
        Assert.Equal(tokens, File.ReadAllBytes(audit.Data.At("out/tokens/train.safetensors")));
        Assert.Equal(report, File.ReadAllBytes(audit.Audit));
        Assert.Equal(["audit.json", "dataset", "tokens"], Directory.EnumerateFileSystemEntries(audit.Data.Output).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Given_tokens_without_a_target_are_kept_and_warn_with_their_number()
    {
        using AuditFixture audit = new();
        TokensFile.Write(audit.Data.At("made.safetensors"), new TokenDocuments([5, 6, 7, 8, 9], [5, -100, -100, 8, 9], [0, 2, 5]));
        AuditReport report = audit.Run("made.safetensors", "tokens");
        Diagnostic warning = Assert.Single(audit.Findings, d => d.Code == "LB0339");
        Assert.Contains("document 1 of the file", warning.Message, StringComparison.Ordinal);
        // The label in the first place is no target: nothing comes before it.
        Assert.Equal((2, 2), (report.Train.Documents, report.Train.TargetTokens));
    }

    [Fact]
    public void A_micro_batch_in_which_everything_is_masked_warns()
    {
        using AuditFixture audit = new() { Options = new TemplateStageOptions { Plan = lengths => Enumerable.Range(0, lengths.Count).Select(i => new[] { new[] { i } }) } };
        TokensFile.Write(audit.Data.At("made.safetensors"), new TokenDocuments([5, 6, 7, 8, 9], [-100, -100, -100, 8, 9], [0, 2, 5]));
        AuditReport report = audit.Run("made.safetensors", "tokens");
        Diagnostic warning = Assert.Single(audit.Findings, d => d.Code == "LB0336");
        Assert.Contains("In 1 of 2 micro-batches", warning.Message, StringComparison.Ordinal);
        Assert.Equal(1, report.Batches!.WithoutTargets);
    }

    [Fact]
    public void A_line_of_dataset_that_someone_broke_is_an_error_there()
    {
        using AuditFixture audit = new();
        audit.Run([Short]);
        File.WriteAllText(audit.Data.At("out/dataset/train.jsonl"), "{\"messages\": 3\n");
        Recipe recipe = audit.Data.Recipe("a.jsonl");
        Diagnostic error = Assert.Throws<DiagnosticException>(() => TemplateStage.Run(recipe with { Template = recipe.Template with { ChatTemplate = audit.Template } }, audit.Data.Output, audit.TokenizerFolder, audit.Data.Bag)).Diagnostics[0];
        Assert.Equal(("LB0309", audit.Data.At("out/dataset/train.jsonl"), 1), (error.Code, error.File!, error.Line));
    }

    [Fact]
    public void A_tokenizer_with_more_ids_than_the_model_has_rows_is_an_error_at_its_config()
    {
        using AuditFixture audit = new();
        Directory.CreateDirectory(audit.Data.At("model"));
        File.Copy(Path.Combine(Recipes.RecipeFixture.Repository, "tests", "LoraBuild.EndToEnd.Tests", "fixtures", "tiny-model", "config.json"), audit.Data.At("model/config.json"));
        Diagnostic error = Assert.Single(audit.Errors([Short], r => r with { Base = r.Base with { Model = audit.Data.At("model") } }));
        Assert.Equal(("LB0320", audit.Data.At("model/config.json")), (error.Code, error.File));
        Assert.Contains("its vocabulary has 272 ids", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_dataset_the_stage_names_the_one_before()
    {
        using AuditFixture audit = new();
        audit.Data.Write("a.jsonl", Short);
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => TemplateStage.Run(audit.Data.Recipe("a.jsonl"), audit.Data.Output, audit.TokenizerFolder, audit.Data.Bag));
        Assert.Equal("LB0308", error.Diagnostics[0].Code);
        Assert.False(Directory.Exists(audit.Data.Output));
    }

    private static Recipe Cut(Recipe recipe) => recipe with { Template = recipe.Template with { MaxLength = 30, Truncation = "cut" } };

    private static Recipe Skip(Recipe recipe) => recipe with { Dataset = recipe.Dataset with { OnError = "skip" } };
}
