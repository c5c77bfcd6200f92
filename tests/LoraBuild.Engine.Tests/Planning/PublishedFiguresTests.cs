// What others have published comes out of the formula within 15 %, and the page shows what it says.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Planning;

namespace LoraBuild.Engine.Tests.Planning;

public sealed class PublishedFiguresTests
{
    public static TheoryData<string> Rows() => [.. PublishedFigures.All.Select(f => f.Row)];

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_published_figure_is_met_within_15_percent(string row)
    {
        PublishedFigure figure = PublishedFigures.All.Single(f => f.Row == row);
        Assert.True(Math.Abs(figure.Ratio - 1) <= 0.15, $"{row}: {figure.Ratio:F3}, {string.Join(", ", figure.Plan.Parts.Select(p => $"{p.Name} {p.Bytes / 1e9:F2}"))}");
        Assert.Equal(0, figure.Plan["runtime"]); // nothing but what the assumptions name
        Assert.Equal(0, figure.Question.BlockBytes);
    }

    [Fact]
    public void No_number_of_tokens_fits_a_whole_column_of_the_LoRA_table()
    {
        foreach (string column in new[] { " LoRA", " QLoRA" })
        {
            (long Least, long Most)[] ranges = [.. PublishedFigures.All.Where(f => f.Row.EndsWith("B" + column, StringComparison.Ordinal)).Select(f => f.TokensWithin(0.15)!.Value)];
            Assert.Equal(4, ranges.Length);
            Assert.True(ranges.Max(r => r.Least) > ranges.Min(r => r.Most));
        }
    }

    [Theory]
    [InlineData("0.5B LoRA", 494_032_768)]
    [InlineData("1.5B LoRA", 1_543_714_304)]
    [InlineData("7B LoRA", 7_615_616_512)]
    [InlineData("13B LoRA", 13_015_864_320)]
    [InlineData("gemma-3-12b QLoRA, embeddings and head trained", 11_766_034_176)]
    public void Shapes_have_the_published_number_of_parameters(string row, long parameters) =>
        Assert.Equal(parameters, ParameterLayout.All(PublishedFigures.All.Single(f => f.Row == row).Question.Spec).Sum(p => p.Count));

    [Fact]
    public void The_page_shows_this_table() =>
        Assert.Contains(PublishedTable.Markdown(), File.ReadAllText(Path.Combine(Golden.Root, "..", "..", "..", "docs", "memory.md")), StringComparison.Ordinal);
}
