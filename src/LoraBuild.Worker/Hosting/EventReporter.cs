// Everything as one JSON object a line on standard output; docs/worker-protocol.md describes them.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Worker.Hosting;

/// <summary>Flushes after each line: the other side shows them as they come.</summary>
public sealed class EventReporter(TextWriter output, WarningPolicy? warnings = null) : IReporter
{
    private readonly Lock gate = new();
    private readonly HashSet<Diagnostic> reported = [];

    public bool HasErrors { get; private set; }

    public WarningPolicy Warnings { get; } = warnings ?? WarningPolicy.Default;

    public void Report(Diagnostic diagnostic)
    {
        if (Warnings.Apply(diagnostic) is not { } told)
            return;
        diagnostic = told;
        lock (gate)
        {
            if (!reported.Add(diagnostic))
                return;
            HasErrors |= diagnostic.Severity == DiagnosticSeverity.Error;
        }

        JsonObject values = new()
        {
            ["severity"] = diagnostic.Severity switch
            {
                DiagnosticSeverity.Error => "error",
                DiagnosticSeverity.Warning => "warning",
                _ => "info",
            },
            ["code"] = diagnostic.Code,
            ["message"] = diagnostic.Message,
        };
        if (diagnostic.File is not null)
            values["file"] = diagnostic.File;
        if (diagnostic.Line > 0)
            values["line"] = diagnostic.Line;
        if (diagnostic.Column > 0)
            values["column"] = diagnostic.Column;
        Write("diagnostic", values);
    }

    public void Message(string text) => Write("message", new JsonObject { ["text"] = text });

    public void Progress(string text, JsonObject values)
    {
        values["text"] = text;
        Write("progress", values);
    }

    public void Result(JsonObject values) => Write("result", values);

    private void Write(string kind, JsonObject values)
    {
        values.Insert(0, "event", kind);
        string line = values.ToJsonString(JsonLines.Options);
        lock (gate)
        {
            output.Write(line);
            output.Write('\n');
            output.Flush();
        }
    }
}
