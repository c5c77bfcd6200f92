// A JSON file's rows one by one, with the places where they begin.
using System.Text;
using LoraBuild.Core.Data;

namespace LoraBuild.Core.Tests.Data;

public sealed class JsonArrayWalkTests
{
    [Fact]
    public void Elements_come_with_line_and_column()
    {
        (string[] rows, JsonArrayWalk walk) = Walk("[\n  {\"a\": [1]},\n {\"b\":\n 2}, {\"c\": 3}\n]\n");
        Assert.Equal(["2,3 {\"a\": [1]}", "3,2 {\"b\":\n 2}", "4,6 {\"c\": 3}"], rows);
        Assert.Null(walk.Failure);
        Assert.Null(walk.LineOfTextBehind);
    }

    [Theory]
    [InlineData("[{}, {]", 1, 1)]
    [InlineData("[{},\n\n x]", 1, 3)]
    [InlineData("[{}\n", 1, 2)]
    [InlineData("{}\n{}", 1, 2)]
    [InlineData("[]\n[]", 0, 2)]
    [InlineData("", 0, 1)]
    public void A_mistake_ends_the_walk_at_its_line(string text, int rows, int line)
    {
        (string[] found, JsonArrayWalk walk) = Walk(text);
        Assert.Equal(rows, found.Length);
        Assert.Equal(line, walk.LineOfTextBehind ?? walk.FailureLine);
    }

    private static (string[] Rows, JsonArrayWalk Walk) Walk(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        JsonArrayWalk walk = new(bytes, 0);
        List<string> rows = [];
        while (walk.Next() is { } place)
            rows.Add(FormattableString.Invariant($"{place.Line},{place.Column} {Encoding.UTF8.GetString(bytes, place.Start, place.Length)}"));
        return ([.. rows], walk);
    }
}
