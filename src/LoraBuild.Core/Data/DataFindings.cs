// Collects what is wrong with data lines: the first of each code are printed, the others counted.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Data;

/// <summary>A line that is not used, for report.json.</summary>
public sealed record RejectedLine(string File, int Line, string Code, string Message);

/// <param name="sink">Where findings go.</param>
/// <param name="skips">With <c>on_error: skip</c> a broken line is a warning and left out.</param>
internal sealed class DataFindings(IDiagnosticSink sink, bool skips)
{
    /// <summary>Findings of one code that are printed.</summary>
    private const int MostPrinted = 20;

    private readonly SortedDictionary<string, int> counts = new(StringComparer.Ordinal);
    private readonly List<RejectedLine> rejected = [];

    public IReadOnlyList<RejectedLine> Rejected => rejected;

    /// <summary>Errors that stop the work.</summary>
    public bool MustStop => !skips && rejected.Count > 0;

    /// <summary>A line that cannot be used.</summary>
    public void Reject(string code, string message, string file, int line, int column = 0)
    {
        rejected.Add(new RejectedLine(file, line, code, message));
        Report(skips ? Diagnostic.Warning(code, message + " The line is skipped.", file, line, column) : Diagnostic.Error(code, message, file, line, column));
    }

    public void Warn(string code, string message, string file, int line) => Report(Diagnostic.Warning(code, message, file, line));

    /// <summary>Says how many findings were not printed.</summary>
    public void Finish()
    {
        foreach ((string code, int count) in counts)
        {
            if (count > MostPrinted)
                sink.Report(Diagnostic.Warning("LB0110", $"{count - MostPrinted} more findings of {code} are not shown; report.json lists every rejected line."));
        }
    }

    private void Report(Diagnostic diagnostic)
    {
        int count = counts[diagnostic.Code] = counts.GetValueOrDefault(diagnostic.Code) + 1;
        if (count <= MostPrinted)
            sink.Report(diagnostic);
    }
}
