// Reading, checking, deduplicating and splitting of data sets, over tiny files.
using System.Globalization;
using System.Text;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Data;

public sealed class DatasetPreparationTests : IDisposable
{
    private readonly DataFixture data = new();

    public void Dispose() => data.Dispose();

    [Theory]
    [InlineData("a.jsonl", """{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}""")]
    [InlineData("a.jsonl", """{"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"}]}""")]
    [InlineData("a.jsonl", """{"instruction":"q","input":"","output":"a"}""")]
    [InlineData("a.jsonl", """{"prompt":"q","response":"a"}""")]
    [InlineData("a.json", "[\n {\"instruction\":\"q\",\"output\":\"a\"}\n]")]
    [InlineData("a.csv", "instruction,output\r\nq,a\r\n")]
    [InlineData("a.tsv", "prompt\tresponse\nq\ta\n")]
    public void Every_format_of_a_conversation_gives_the_same_canonical_messages(string name, string text)
    {
        data.Write(name, text);
        data.Prepare(data.Recipe(name));
        string line = Assert.Single(data.Lines());
        Assert.StartsWith("""{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"source":"a.""", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Alpaca_puts_the_input_behind_the_instruction_and_knows_system_and_history()
    {
        data.Write("a.jsonl", """{"instruction":"i","input":"x","output":"o","system":"s","history":[["q1","a1"]]}""");
        data.Prepare(data.Recipe("a.jsonl"));
        Conversation conversation = Assert.Single(data.Conversations());
        Assert.Equal(["system:s", "user:q1", "assistant:a1", "user:i\n\nx", "assistant:o"], conversation.Messages.Select(m => $"{m.Role}:{m.Content}"));
    }

    [Fact]
    public void Own_column_names_are_mapped_and_a_missing_one_is_named()
    {
        data.Write("a.jsonl", "{\"question\":\"q\",\"answer\":\"a\"}\n{\"question\":\"q\"}\n");
        Recipe recipe = data.Recipe("a.jsonl", columns: new Dictionary<string, string> { ["prompt"] = "question", ["response"] = "answer" });
        Diagnostic error = Assert.Single(data.Errors(recipe));
        Assert.Equal(("LB0102", 2), (error.Code, error.Line));
        Assert.Contains("'answer'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_and_completions_stay_what_they_are()
    {
        data.Write("a.txt", "eins\n\nzwei\r\n");
        data.Write("b.jsonl", """{"prompt":"p","completion":"c"}""");
        data.Prepare(data.Recipe("a.txt", change: d => d with { Sources = [.. d.Sources, new DatasetSource { Path = data.At("b.jsonl") }] }));
        Conversation[] all = data.Conversations();
        Assert.Equal(["eins", "zwei", null], all.Select(c => c.Text));
        Assert.Equal(("p", "c"), (all[2].Prompt, all[2].Completion));
        Assert.Equal([1, 3, 1], all.Select(c => c.SourceLine));
    }

    [Fact]
    public void A_byte_order_mark_carriage_returns_and_blank_lines_do_no_harm()
    {
        data.Write("a.jsonl", "\uFEFF\r\n" + DataFixture.Pair + "\r\n\r\n" + DataFixture.Pair.Replace("yo", "ja", StringComparison.Ordinal));
        PrepareReport report = data.Prepare(data.Recipe("a.jsonl"));
        Assert.Equal(2, report.Train.Documents);
        Assert.Equal([2, 4], data.Conversations().Select(c => c.SourceLine));
        Assert.Empty(data.Bag.All);
    }

    [Fact]
    public void An_evaluation_split_that_nothing_fell_into_warns_at_the_sources()
    {
        data.Write("a.jsonl", DataFixture.Pair);
        data.Prepare(data.Recipe("a.jsonl", change: d => d with { Split = new SplitSection { Eval = 0.01 } }));
        Assert.Equal("LB0114", Assert.Single(data.Bag.All).Code);
    }

    [Fact]
    public void All_broken_lines_are_reported_together_with_line_and_column_and_nothing_is_written()
    {
        data.Write("a.jsonl", DataFixture.Pair + "\n{\"messages\": [}\n[1]\n{\"x\":1}\n{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}\n{\"text\":1}\n{\"text\":\"\\ud83d\"}\n{\"text\":\"a\",\"text\":\"b\"}\n");
        IReadOnlyList<Diagnostic> errors = data.Errors(data.Recipe("a.jsonl"));
        Assert.Equal([("LB0103", 2), ("LB0105", 3), ("LB0102", 4), ("LB0106", 5), ("LB0105", 6), ("LB0103", 7), ("LB0103", 8)], errors.Select(e => (e.Code, e.Line)));
        Assert.Equal(15, errors[0].Column);
        Assert.All(errors, e => Assert.Equal(data.At("a.jsonl"), e.File));
        Assert.False(Directory.Exists(data.Output));
    }

    [Fact]
    public void With_skip_broken_lines_are_warnings_and_the_report_lists_them()
    {
        data.Write("a.jsonl", "{broken\n" + DataFixture.Pair + "\n");
        PrepareReport report = data.Prepare(data.Recipe("a.jsonl", change: d => d with { OnError = "skip" }));
        Assert.Equal(1, report.Train.Documents);
        RejectedLine rejected = Assert.Single(report.Rejected);
        Assert.Equal(("a.jsonl", 1, "LB0103"), (rejected.File, rejected.Line, rejected.Code));
        Assert.Equal(DiagnosticSeverity.Warning, Assert.Single(data.Bag.All).Severity);
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_are_found_with_their_column()
    {
        File.WriteAllBytes(data.At("a.jsonl"), [.. Encoding.UTF8.GetBytes(DataFixture.Pair + "\n{\"é"), 0xFF, (byte)'}']);
        Diagnostic error = Assert.Single(data.Errors(data.Recipe("a.jsonl")));
        Assert.Equal(("LB0104", 2, 4), (error.Code, error.Line, error.Column));
    }

    [Fact]
    public void Of_many_findings_twenty_are_shown_and_the_rest_counted()
    {
        data.Write("a.jsonl", string.Concat(Enumerable.Repeat("{\n", 50)) + DataFixture.Pair);
        IReadOnlyList<Diagnostic> errors = data.Errors(data.Recipe("a.jsonl"));
        Assert.Equal(20, errors.Count);
        Assert.Contains("30 more", Assert.Single(data.Bag.All, d => d.Code == "LB0110").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_an_error_at_the_recipes_place()
    {
        Diagnostic error = data.Errors(data.Recipe("none.jsonl"))[0];
        Assert.Equal(("LB0101", data.At("recipe.yaml"), 3, 5), (error.Code, error.File!, error.Line, error.Column));
    }

    [Fact]
    public void Globs_take_files_in_ordinal_order()
    {
        Directory.CreateDirectory(data.At("sub/deep"));
        data.Write("sub/b.jsonl", """{"text":"b"}""");
        data.Write("sub/deep/a.jsonl", """{"text":"a"}""");
        data.Write("sub/c.txt", "c");
        data.Prepare(data.Recipe("sub/**/*.jsonl"));
        Assert.Equal(["b", "a"], data.Conversations().Select(c => c.Text));
    }

    [Fact]
    public void Broken_rows_of_csv_are_found_with_their_line()
    {
        data.Write("a.csv", "instruction,output\n\"a\nb\",c\nonly\n\"q\",\"a, \"\"b\"\"\"\n");
        Diagnostic error = Assert.Single(data.Errors(data.Recipe("a.csv")));
        Assert.Equal(("LB0112", 4), (error.Code, error.Line));
    }

    [Fact]
    public void Exact_duplicates_are_removed_once_and_counted()
    {
        data.Write("a.jsonl", $"{DataFixture.Pair}\n{DataFixture.Pair.Replace(":", ": ", StringComparison.Ordinal)}\n");
        PrepareReport report = data.Prepare(data.Recipe("a.jsonl"));
        Assert.Equal((1, 1), (report.Train.Documents, report.Duplicates));
        Assert.Equal(2, data.Prepare(data.Recipe("a.jsonl", change: d => d with { Deduplicate = false })).Train.Documents);
    }

    [Fact]
    public void The_split_depends_on_content_and_seed_alone()
    {
        string[] rows = [.. Enumerable.Range(0, 400).Select(i => string.Create(CultureInfo.InvariantCulture, $"{{\"text\":\"document {i}\"}}"))];
        Recipe recipe = data.Recipe("a.jsonl", change: d => d with { Split = new SplitSection { Eval = 0.2, Test = 0.1 } });
        data.Write("a.jsonl", string.Join('\n', rows));
        PrepareReport first = data.Prepare(recipe);
        HashSet<string?> eval = [.. data.Conversations("eval").Select(c => c.Text)];
        Assert.InRange(first.Eval.Documents, 50, 110);
        Assert.InRange(first.Test.Documents, 20, 60);
        Assert.Equal(400, first.Train.Documents + first.Eval.Documents + first.Test.Documents);

        data.Write("a.jsonl", "{\"text\":\"new\"}\n" + string.Join('\n', rows.Reverse().Skip(10)));
        data.Prepare(recipe);
        Assert.True(eval.IsSupersetOf(data.Conversations("eval").Select(c => c.Text).Where(t => t != "new")));
        data.Prepare(recipe with { Seed = 7 });
        Assert.False(eval.SetEquals(data.Conversations("eval").Select(c => c.Text)));
    }

    [Fact]
    public void Evaluation_sources_replace_the_split_and_never_leak_into_training()
    {
        data.Write("a.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
        data.Write("e.jsonl", "{\"text\":\"b\"}\n{\"text\":\"e\"}\n");
        PrepareReport report = data.Prepare(data.Recipe("a.jsonl", change: d => d with { Split = new SplitSection { Eval = 0.5, EvalSources = [new DatasetSource { Path = data.At("e.jsonl") }] } }));
        Assert.Equal(["a"], data.Conversations().Select(c => c.Text));
        Assert.Equal(["b", "e"], data.Conversations("eval").Select(c => c.Text));
        Assert.Equal(1, report.Leaked);
        Assert.Contains(data.Bag.All, d => d.Code == "LB0116");
    }

    [Theory]
    [InlineData(2.0, 200, 200)]
    [InlineData(0.5, 30, 70)]
    public void A_weight_repeats_or_samples_documents_the_same_way_every_time(double weight, int least, int most)
    {
        data.Write("a.jsonl", string.Join('\n', Enumerable.Range(0, 100).Select(i => string.Create(CultureInfo.InvariantCulture, $"{{\"text\":\"{i}\"}}"))));
        PrepareReport first = data.Prepare(data.Recipe("a.jsonl", weight: weight));
        Assert.InRange(first.Train.Documents, least, most);
        Assert.Equal(first.Train.ContentHash, data.Prepare(data.Recipe("a.jsonl", weight: weight)).Train.ContentHash);
    }

    [Fact]
    public void An_empty_source_leaves_no_conversation()
    {
        data.Write("a.jsonl", "\n");
        Assert.Equal("LB0109", Assert.Single(data.Errors(data.Recipe("a.jsonl"))).Code);
    }

    [Theory]
    [InlineData("""[{"role":"assistant","content":"a"},{"role":"user","content":"q"},{"role":"assistant","content":"a"}]""", "LB0107")]
    [InlineData("""[{"role":"user","content":"q"},{"role":"user","content":"q"},{"role":"assistant","content":"a"}]""", "LB0107")]
    [InlineData("""[{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":"q"}]""", "LB0107")]
    [InlineData("""[{"role":"user","content":""},{"role":"assistant","content":"a"}]""", "LB0113")]
    [InlineData("""[{"role":"user","content":"q","train":true},{"role":"assistant","content":"a"}]""", "LB0115")]
    public void What_is_suspicious_is_a_warning(string messages, string code)
    {
        data.Write("a.jsonl", $"{{\"messages\":{messages}}}");
        data.Prepare(data.Recipe("a.jsonl"));
        Diagnostic warning = Assert.Single(data.Bag.All);
        Assert.Equal((code, DiagnosticSeverity.Warning, 1), (warning.Code, warning.Severity, warning.Line));
    }

    [Theory]
    [InlineData("""[{"role":"user","content":"q"},{"role":"assistant","content":" "}]""", "LB0108")]
    [InlineData("""[{"role":"user","content":"q"},{"role":"assistant","content":"a","train":false}]""", "LB0106")]
    [InlineData("""[{"role":"user","content":"q"},{"role":"assistant","content":"a","weight":2}]""", "LB0105")]
    [InlineData("[]", "LB0106")]
    public void What_cannot_be_trained_is_an_error(string messages, string code)
    {
        data.Write("a.jsonl", $"{{\"messages\":{messages}}}");
        Assert.Equal(code, data.Errors(data.Recipe("a.jsonl"))[0].Code);
    }

    [Fact]
    public void An_unknown_ending_is_refused_at_the_recipe()
    {
        data.Write("a.parquet", "x");
        Assert.Equal("LB0111", data.Errors(data.Recipe("a.parquet"))[0].Code);
    }
}
