// Diagnostics, messages and progress as lines on standard error.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Worker.Hosting;

public sealed class TextReporter(TextWriter error, WarningPolicy? warnings = null) : IReporter
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
            error.WriteLine(diagnostic);
        }
    }

    public void Message(string text)
    {
        lock (gate)
            error.WriteLine(text);
    }

    public void Progress(string text, JsonObject values) => Message(text);

    public void Result(JsonObject values)
    {
    }
}
