// JSON Lines in and out in constant memory: one answer a question, an error line where there is none.
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.IO;

namespace LoraBuild.Worker.Hosting;

public static class JsonLines
{
    /// <summary>Letters beyond ASCII stay readable: the lines are data, not HTML.</summary>
    public static JsonSerializerOptions Options { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <summary>Answers every line of <paramref name="input"/> in order. Empty lines are passed over.</summary>
    /// <param name="answer">Throws <see cref="DiagnosticException"/> for a question that cannot be answered; the others are still answered. Called from several threads.</param>
    /// <param name="threads">How many lines may be worked on at once; the answers are the same for any number.</param>
    public static void Answer(Stream input, TextWriter output, Func<JsonObject, JsonObject> answer, int threads, CancellationToken cancellation)
    {
        foreach (string reply in OrderedParallel.Map(Lines(input), line => Reply(line, answer), threads, cancellation))
        {
            output.Write(reply);
            output.Write('\n');
            // A program that asks one question at a time waits for the answer.
            output.Flush();
        }
    }

    private static IEnumerable<string> Lines(Stream input)
    {
        using StreamReader reader = new(input, Encoding.UTF8, detectEncodingFromByteOrderMarks: true, 1 << 16, leaveOpen: true);
        while (reader.ReadLine() is { } line)
        {
            if (!string.IsNullOrWhiteSpace(line))
                yield return line;
        }
    }

    private static string Reply(string line, Func<JsonObject, JsonObject> answer)
    {
        JsonObject reply;
        try
        {
            reply = answer(Parse(line));
        }
        catch (DiagnosticException e)
        {
            Diagnostic first = e.Diagnostics[0];
            reply = new JsonObject { ["error"] = new JsonObject { ["code"] = first.Code, ["message"] = first.Message } };
        }

        return reply.ToJsonString(Options);
    }

    /// <exception cref="DiagnosticException">LB0822: the property is missing or of another type.</exception>
    public static string RequiredString(JsonObject question, string name) =>
        OptionalString(question, name) ?? throw Wrong($"\"{name}\" is missing; expected {{\"{name}\": \"…\"}}");

    public static string? OptionalString(JsonObject question, string name) => question[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        JsonNode other => throw Wrong($"\"{name}\" must be a string, got {Kind(other)}"),
    };

    public static bool? OptionalBool(JsonObject question, string name) => question[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out bool flag) => flag,
        JsonNode other => throw Wrong($"\"{name}\" must be true or false, got {Kind(other)}"),
    };

    public static JsonArray? OptionalArray(JsonObject question, string name) => question[name] switch
    {
        null => null,
        JsonArray array => array,
        JsonNode other => throw Wrong($"\"{name}\" must be a list, got {Kind(other)}"),
    };

    public static JsonObject? OptionalObject(JsonObject question, string name) => question[name] switch
    {
        null => null,
        JsonObject json => json,
        JsonNode other => throw Wrong($"\"{name}\" must be an object, got {Kind(other)}"),
    };

    public static DiagnosticException Wrong(string message) => new("LB0822", message);

    private static JsonObject Parse(string line)
    {
        try
        {
            if (line.Contains("\\u", StringComparison.Ordinal))
                CheckEscapes(line);
            return JsonNode.Parse(line, documentOptions: Strict) as JsonObject ?? throw Wrong("the line must be a JSON object");
        }
        catch (JsonException e)
        {
            throw Wrong($"the line is not JSON: {e.Message}");
        }
    }

    /// <summary>Half a surrogate pair is no text; JsonNode would find it only when the string is asked for.</summary>
    private static void CheckEscapes(string line)
    {
        Utf8JsonReader reader = new(Encoding.UTF8.GetBytes(line));
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName))
                continue;
            try
            {
                reader.GetString();
            }
            catch (InvalidOperationException)
            {
                throw Wrong("the line holds half a surrogate pair (\\ud800–\\udfff), which is no character");
            }
        }
    }

    private static string Kind(JsonNode node) => node.GetValueKind() switch
    {
        JsonValueKind.Array => "a list",
        JsonValueKind.Object => "an object",
        JsonValueKind.Number => "a number",
        JsonValueKind.String => "a string",
        _ => node.ToJsonString(),
    };
}
