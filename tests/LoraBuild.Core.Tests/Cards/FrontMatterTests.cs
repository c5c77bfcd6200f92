// The YAML block of a card: what is written can be read, and what others wrote does no harm.
using LoraBuild.Core.Cards;

namespace LoraBuild.Core.Tests.Cards;

public sealed class FrontMatterTests
{
    [Theory]
    [InlineData("apache-2.0", "apache-2.0")]
    [InlineData("org/name", "org/name")]
    [InlineData("no", "\"no\"")]
    [InlineData("Null", "\"Null\"")]
    [InlineData("1.0", "\"1.0\"")]
    [InlineData("a: b", "\"a: b\"")]
    [InlineData("a\n---\nb", "\"a\\n---\\nb\"")]
    [InlineData("\"x\" \\ #y", "\"\\\"x\\\" \\\\ #y\"")]
    [InlineData("", "\"\"")]
    public void A_text_is_plain_only_where_it_cannot_be_misread(string value, string yaml)
    {
        string block = new FrontMatter().Add("license", value).ToString();
        Assert.Equal($"---\nlicense: {yaml}\n---\n", block);
        if (value.Length > 0 && !value.Contains('\n'))
            Assert.Equal(value, FrontMatter.LicenseOf(block)!.Id);
    }

    [Fact]
    public void What_is_absent_is_left_out() =>
        Assert.Equal("---\ntags:\n- a\n- b\n---\n", new FrontMatter().Add("license", (string?)null).Add("tags", ["a", "b"]).Add("datasets", []).ToString());

    [Theory]
    [InlineData("---\nlicense: gemma\n---\n# x", "gemma", null, null)]
    [InlineData("\uFEFF---\r\nlicense: mit\r\n---\r\n", "mit", null, null)]
    [InlineData("---\nlanguage: [en]\nlicense: other\nlicense_name: llama3\nlicense_link: LICENSE\n---\n", "other", "llama3", "LICENSE")]
    [InlineData("---\nlicense: [mit, apache-2.0]\n---\n", "mit", null, null)]
    public void The_license_of_a_card_is_read(string card, string id, string? name, string? link) =>
        Assert.Equal(new CardLicense(id, name, link), FrontMatter.LicenseOf(card));

    [Theory]
    [InlineData("")]
    [InlineData("# a card without a block")]
    [InlineData("---\nlicense: mit\n")]
    [InlineData("---\n- a\n---\n")]
    [InlineData("---\nlicense: {a: b}\n---\n")]
    [InlineData("---\nlicense: \"a\\nb\"\n---\n")]
    [InlineData("---\n\t: [broken\n---\n")]
    [InlineData("---\n---\n")]
    [InlineData("---\na: &a [*a]\nb: *c\n---\n")]
    public void A_card_that_cannot_be_read_names_none(string card) => Assert.Null(FrontMatter.LicenseOf(card));

    [Fact]
    public void A_block_that_unfolds_without_end_is_read_in_no_time()
    {
        string bomb = "a0: &a0 [x, x]\n" + string.Concat(Enumerable.Range(1, 60).Select(i => $"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n"));
        Assert.Equal("mit", FrontMatter.LicenseOf($"---\n{bomb}license: mit\n---\n")!.Id);
    }
}
