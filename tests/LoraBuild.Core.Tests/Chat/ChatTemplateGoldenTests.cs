// Every template in use, rendered over every conversation, as transformers renders it. The templates are third-party: read from the shared golden data where it exists.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using Xunit.Abstractions;

namespace LoraBuild.Core.Tests.Chat;

public sealed class ChatTemplateGoldenTests(ITestOutputHelper output)
{
    [Fact]
    public void Every_template_renders_every_conversation_as_transformers_does()
    {
        if (ChatGolden.Shared("templates") is not string folder)
        {
            output.WriteLine("skipped: the shared golden data with third-party templates is not on this machine");
            return;
        }

        Dictionary<string, JsonObject> conversations = File.ReadLines(Path.Combine(folder, "conversations.jsonl")).Select(l => JsonNode.Parse(l)!.AsObject()).ToDictionary(c => (string)c["id"]!);
        JsonObject tokens = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "src", "tokens.json")))!.AsObject();
        Dictionary<string, ChatTemplate> templates = Directory.EnumerateFiles(Path.Combine(folder, "src"), "*.jinja")
            .ToDictionary(f => Path.GetFileNameWithoutExtension(f), f => ChatTemplate.Parse(File.ReadAllText(f), f));
        List<string> failures = [];
        int count = 0;
        foreach (string line in File.ReadLines(Path.Combine(folder, "renders.jsonl")))
        {
            count++;
            JsonObject row = JsonNode.Parse(line)!.AsObject();
            string name = (string)row["template"]!;
            JsonObject variables = [];
            foreach ((string key, JsonNode? token) in tokens[name]!.AsObject())
            {
                if ((string?)token is { Length: > 0 } content)
                    variables[key] = content;
            }

            string? failure = ChatRows.Check(row, templates[name], conversations[(string)row["conv"]!], variables);
            if (failure is not null)
                failures.Add($"{name} / {(string)row["conv"]!}: {failure}");
        }

        Assert.Equal(3024, count);
        Assert.True(failures.Count == 0, $"{failures.Count} of {count} rows differ:\n{string.Join("\n", failures.Take(30))}");
    }
}

internal static class ChatRows
{
    public static ChatRenderRequest Request(JsonObject conversation, JsonObject variables)
    {
        foreach ((string key, JsonNode? value) in conversation["kwargs"]?.AsObject() ?? [])
            variables[key] = value?.DeepClone();
        JsonNode? continued = conversation["continue_final_message"];
        return new ChatRenderRequest
        {
            Messages = conversation["messages"]!.AsArray(),
            Tools = conversation["tools"]?.AsArray(),
            Documents = conversation["documents"]?.AsArray(),
            AddGenerationPrompt = (bool?)conversation["add_generation_prompt"] ?? false,
            ContinueFinalMessage = continued is null ? null : continued.GetValueKind() == System.Text.Json.JsonValueKind.True ? "content" : (string?)continued,
            Variables = variables,
            Now = JinjaConformanceTests.Now,
        };
    }

    public static string? Check(JsonObject row, ChatTemplate template, JsonObject conversation, JsonObject variables)
    {
        string? error = (string?)row["error"];
        try
        {
            ChatRenderResult result = template.Render(Request(conversation, variables));
            if (error is not null)
                return $"expected {error}: {(string)row["message"]!}";
            string expected = (string)row["expected"]!;
            if (result.Text != expected)
                return $"\n  expected {JsonValue.Create(expected)!.ToJsonString()}\n  got      {JsonValue.Create(result.Text)!.ToJsonString()}";
            string spans = Spans(result.Assistant ?? []);
            return row["spans"] is JsonArray wanted && spans != wanted.ToJsonString() ? $"spans {spans}, expected {wanted.ToJsonString()}" : null;
        }
        catch (DiagnosticException e)
        {
            Diagnostic diagnostic = e.Diagnostics[0];
            if (error is null)
                return diagnostic.ToString();
            if (error == "TemplateError")
            {
                string first = diagnostic.Message.Split('\n')[0];
                return diagnostic.Code == "LB0303" && (first.Length > 200 ? first[..200] : first) == (string)row["message"]! ? null : $"message {diagnostic.Message}";
            }

            return diagnostic.Code is "LB0302" or "LB0306" ? null : diagnostic.ToString();
        }
    }

    public static string Spans(IReadOnlyList<(int Start, int End)> spans) =>
        "[" + string.Join(",", spans.Select(s => string.Create(CultureInfo.InvariantCulture, $"[{s.Start},{s.End}]"))) + "]";
}
