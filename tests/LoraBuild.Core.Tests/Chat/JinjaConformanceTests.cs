// Every row of the Jinja conformance suite: same text as Jinja2 3.1.6 in transformers' environment, or the same kind of error in the same phase.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat.Jinja;

namespace LoraBuild.Core.Tests.Chat;

public sealed class JinjaConformanceTests
{
    /// <summary>The golden data's clock.</summary>
    public static readonly DateTime Now = new(2025, 1, 5, 15, 4, 9, DateTimeKind.Unspecified);

    [Theory]
    [InlineData("jinja.jsonl", 805)]
    [InlineData("jinja-fuzz.jsonl", 1364)] // random templates, and one for each difference that they found
    public void Every_row_of_the_conformance_suite_renders_or_fails_as_Jinja2_does(string file, int rows)
    {
        List<string> failures = [];
        int count = 0;
        foreach (string line in File.ReadLines(ChatGolden.File(file)))
        {
            count++;
            JsonObject row = JsonNode.Parse(line)!.AsObject();
            string? failure = Check(row);
            if (failure is not null)
                failures.Add($"{(string)row["id"]!} (tier {(int)row["tier"]!}): {(string)row["template"]!}\n    {failure}");
        }

        Assert.Equal(rows, count);
        Assert.True(failures.Count == 0, $"{failures.Count} of {count} rows differ:\n{string.Join("\n", failures)}");
    }

    private static string? Check(JsonObject row)
    {
        string? error = (string?)row["error"];
        string phase = "compile";
        try
        {
            JinjaTemplate template = JinjaTemplate.Parse((string)row["template"]!);
            phase = "render";
            string text = template.Render(row["context"]!.AsObject(), Now).Text;
            if (error is not null)
                return $"expected {error} ({(string)row["message"]!}), got {text}";
            string expected = (string)row["expected"]!;
            return text == expected ? null : $"expected {JsonValue.Create(expected)!.ToJsonString()}, got {JsonValue.Create(text)!.ToJsonString()}";
        }
        catch (JinjaException e)
        {
            if (error is null)
                return $"unexpected {e.Kind}: {e.Message} at {e.Line},{e.Column}";
            if (phase != (string)row["phase"]!)
                return $"fails when it should {(string)row["phase"]!}, at {phase}: {e.Message}";
            if (error == "TemplateError" && e.Message != (string)row["message"]!)
                return $"message {e.Message}";
            if (e.Kind.ToString() != error && !(error is "KeyError" or "IndexError" && e.Kind == JinjaErrorKind.LookupError))
                return $"kind {e.Kind}, expected {error}: {e.Message}";
            return e.Line > 0 && e.Column > 0 ? null : "the error has no place";
        }
    }
}
