// Words of messages, and the text of numbers and strings.
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Recipes;

public sealed class RecipeTextTests
{
    [Theory]
    [InlineData("", "", 0)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("abc", "", 3)]
    [InlineData("flaw", "lawn", 2)]
    public void Edit_distance_counts_single_changes(string a, string b, int distance)
    {
        Assert.Equal(distance, RecipeText.EditDistance(a, b));
        Assert.Equal(distance, RecipeText.EditDistance(b, a));
    }

    [Theory]
    [InlineData("lora_aplha", "lora_alpha")]
    [InlineData("Lora-Alpha", "lora_alpha")]
    [InlineData("rr", "r")]
    [InlineData("q", null)]
    [InlineData("entirely_different", null)]
    public void The_nearest_word_is_close_or_there_is_none(string word, string? nearest) =>
        Assert.Equal(nearest, RecipeText.Nearest(word, ["r", "lora_alpha", "lora_dropout"]));

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("org/name-1.0", "org/name-1.0")]
    [InlineData("", "\"\"")]
    [InlineData("null", "\"null\"")]
    [InlineData("1e5", "\"1e5\"")]
    [InlineData("a \"b\"\\\n\u0001", "\"a \\\"b\\\"\\\\\\n\\u0001\"")]
    [InlineData("안녕", "\"안녕\"")]
    public void Text_is_written_as_yaml_that_reads_back(string text, string yaml) => Assert.Equal(yaml, RecipeText.Scalar(text));

    [Fact]
    public void Long_or_many_lined_text_is_shortened_in_messages() =>
        Assert.Equal("'" + new string('x', 58) + " y…'", RecipeText.Quote(new string('x', 58) + "\nyyyyyyyyyyyyyyyyy"));
}
