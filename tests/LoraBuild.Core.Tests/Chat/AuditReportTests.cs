// audit.json: stable bytes whatever the threads, its form as a snapshot, and the numbers behind it.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using VerifyXunit;
using static LoraBuild.Core.Tests.Chat.AuditFixture;

namespace LoraBuild.Core.Tests.Chat;

public sealed class AuditReportTests
{
    [Fact]
    public void Tokens_and_audit_are_the_same_bytes_for_any_number_of_threads()
    {
        // More documents than a block, some with findings.
        string[] rows = [.. Enumerable.Range(0, 2500).Select(i => Conversation(i % 97 == 0 ? $"<|im_end|> {i}" : $"question {i} {new string('x', i % 50)}", i % 53 == 0 ? "No." : $"answer {i}"))];
        (byte[] Tokens, byte[] Audit, string Findings) one = Run(1);
        (byte[] Tokens, byte[] Audit, string Findings) four = Run(4);
        Assert.Equal(one.Tokens, four.Tokens);
        Assert.Equal(one.Audit, four.Audit);
        Assert.Equal(one.Findings, four.Findings);
        Assert.Contains("26 documents in all", one.Findings, StringComparison.Ordinal);

        (byte[] Tokens, byte[] Audit, string Findings) Run(int threads)
        {
            using AuditFixture audit = new() { Options = new TemplateStageOptions { Threads = threads } };
            audit.Run(rows);
            return (File.ReadAllBytes(audit.Data.At("out/tokens/train.safetensors")), File.ReadAllBytes(audit.Audit), string.Join('\n', audit.Findings.Select(f => f.ToString().Replace(audit.Data.Folder, "", StringComparison.Ordinal))));
        }
    }

    [Fact]
    public Task The_form_of_audit_json()
    {
        using AuditFixture audit = new() { Options = new TemplateStageOptions { Plan = lengths => [[.. Enumerable.Range(0, lengths.Count).Select(i => new[] { i })]] } };
        audit.Run(
            [Conversation("a<|im_end|>b", "fine"), Conversation(string.Concat(Enumerable.Repeat("word ", 60)), "lost"), Conversation("hi", "yo")],
            r => r with { Template = r.Template with { MaxLength = 40, Truncation = "cut" }, Dataset = r.Dataset with { OnError = "skip" } });
        return Verifier.Verify(File.ReadAllText(audit.Audit));
    }

    [Fact]
    public void Every_field_is_explained()
    {
        using AuditFixture audit = new() { Options = new TemplateStageOptions { Plan = _ => [] } };
        audit.Run([Conversation("hi", "yo")]);
        string page = File.ReadAllText(Path.Combine(Recipes.RecipeFixture.Repository, "docs", "audit.md"));
        Assert.All(Names(JsonNode.Parse(File.ReadAllText(audit.Audit))!).Except(["train", "eval", "test", "template", "tokenizer"]), name => Assert.Contains(name, page, StringComparison.Ordinal));

        static IEnumerable<string> Names(JsonNode node) => node is JsonObject fields
            ? fields.SelectMany(f => f.Key.StartsWith('≤') || f.Key.StartsWith('<') ? [] : f.Value is null ? [f.Key] : Names(f.Value).Prepend(f.Key))
            : [];
    }

    [Fact]
    public void Percentiles_are_by_nearest_rank_and_the_histogram_doubles()
    {
        LengthAudit lengths = LengthStatistics.Of([.. Enumerable.Range(1, 100).Reverse()]);
        Assert.Equal((1, 50, 90, 99, 100, 50.5), (lengths.Min, lengths.P50, lengths.P90, lengths.P99, lengths.Max, lengths.Mean));
        Assert.Equal(["≤16=16", "≤32=16", "≤64=32", "≤128=36"], lengths.Histogram.Select(h => string.Create(CultureInfo.InvariantCulture, $"{h.Key}={h.Value}")));
        Assert.Equal(7, LengthStatistics.Of([7]).P99);
    }

    [Theory]
    [InlineData(1, new[] { 1 })]
    [InlineData(2, new[] { 4, 3 })]
    [InlineData(3, new[] { 4, 1, 3 })]
    [InlineData(9, new[] { 4, 0, 1, 2, 3 })]
    public void Examples_are_spread_over_the_lengths_and_ties_go_to_the_first(int count, int[] expected) =>
        Assert.Equal(expected, ExampleChoice.Choose([20, 30, 30, 90, 5], count).Select(c => c.Document));
}
