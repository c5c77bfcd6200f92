// One line of the worker's standard output, read so that no text of a data set can become a build error.
using System.Text.Json;

namespace LoraBuild.Tasks;

public enum WorkerEventKind
{
    /// <summary>Not an event: kept for the detailed log only.</summary>
    Other,
    Diagnostic,
    Progress,
    Message,
    Result,
}

/// <param name="Text">The message; for a line that is no event, the line.</param>
/// <param name="Severity">error, warning or info; null unless a diagnostic.</param>
/// <param name="Line">From 1; 0 when the finding is about the whole file.</param>
public sealed record WorkerEvent(WorkerEventKind Kind, string Text, string? Severity = null, string? Code = null, string? File = null, int Line = 0, int Column = 0)
{
    public static WorkerEvent Parse(string line)
    {
        if (!line.StartsWith('{'))
            return new(WorkerEventKind.Other, line);
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return Read(document.RootElement, line);
        }
        catch (JsonException)
        {
            return new(WorkerEventKind.Other, line);
        }
    }

    private static WorkerEvent Read(JsonElement json, string line) => String(json, "event") switch
    {
        "diagnostic" => new(
            WorkerEventKind.Diagnostic,
            String(json, "message") ?? line,
            String(json, "severity") ?? "error",
            String(json, "code"),
            String(json, "file"),
            Number(json, "line"),
            Number(json, "column")),
        "progress" => new(WorkerEventKind.Progress, String(json, "text") ?? line),
        "message" => new(WorkerEventKind.Message, String(json, "text") ?? line),
        "result" => new(WorkerEventKind.Result, line),
        _ => new(WorkerEventKind.Other, line),
    };

    private static string? String(JsonElement json, string name) =>
        json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int Number(JsonElement json, string name) =>
        json.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number : 0;
}
