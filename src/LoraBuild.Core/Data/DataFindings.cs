// Collects what is wrong with documents: errors each at its line, up to a number; warnings gathered into one of each kind.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Data;

/// <summary>A line that is not used, for report.json.</summary>
public sealed record RejectedLine(string File, int Line, string Code, string Message);

/// <summary>All findings of one kind.</summary>
/// <param name="Message">That of the first.</param>
/// <param name="Places">Of the first few.</param>
internal sealed record FindingKind(string Code, DiagnosticSeverity Severity, string Message, int Count, IReadOnlyList<(string File, int Line)> Places);

/// <param name="sink">Where findings go.</param>
/// <param name="skips">With <c>on_error: skip</c> a broken line is a warning and left out.</param>
internal sealed class DataFindings(IDiagnosticSink sink, bool skips)
{
    /// <summary>Rejected lines of one code that are printed.</summary>
    private const int MostPrinted = 20;

    /// <summary>Places that a warning names.</summary>
    private const int MostPlaces = 5;

    private readonly SortedDictionary<string, FindingKind> kinds = new(StringComparer.Ordinal);
    private readonly List<RejectedLine> rejected = [];

    public IReadOnlyList<RejectedLine> Rejected => rejected;

    /// <summary>Sorted by code.</summary>
    public IReadOnlyList<FindingKind> Kinds => [.. kinds.Values];

    /// <summary>A line that cannot be used.</summary>
    public void Reject(string code, string message, string file, int line, int column = 0)
    {
        rejected.Add(new RejectedLine(file, line, code, message));
        int count = Count(code, skips ? DiagnosticSeverity.Warning : DiagnosticSeverity.Error, message, file, line);
        if (count <= MostPrinted)
            sink.Report(skips ? Diagnostic.Warning(code, message + " The line is skipped.", file, line, column) : Diagnostic.Error(code, message, file, line, column));
    }

    /// <summary>Something suspicious about one document; told by <see cref="Finish"/>, once for all of its kind.</summary>
    public void Warn(string code, string message, string file, int line) => Count(code, DiagnosticSeverity.Warning, message, file, line);

    /// <summary>Tells the warnings, and how many rejected lines were not printed.</summary>
    public void Finish()
    {
        HashSet<string> printed = [.. rejected.Select(r => r.Code)];
        foreach (FindingKind kind in kinds.Values)
        {
            if (!printed.Contains(kind.Code))
                sink.Report(Diagnostic.Warning(kind.Code, kind.Message + Others(kind), kind.Places[0].File, kind.Places[0].Line));
            else if (kind.Count > MostPrinted)
                sink.Report(Diagnostic.Warning("LB0110", $"{kind.Count - MostPrinted} more findings of {kind.Code} are not shown."));
        }
    }

    private int Count(string code, DiagnosticSeverity severity, string message, string file, int line)
    {
        if (!kinds.TryGetValue(code, out FindingKind? kind))
            kind = new FindingKind(code, severity, message, 0, []);
        kinds[code] = kind = kind with { Count = kind.Count + 1, Places = kind.Places.Count < MostPlaces && !kind.Places.Contains((file, line)) ? [.. kind.Places, (file, line)] : kind.Places };
        return kind.Count;
    }

    /// <summary>Empty when the finding is the only one of its kind.</summary>
    private static string Others(FindingKind kind)
    {
        if (kind.Count == 1)
            return "";
        string first = kind.Places[0].File;
        IEnumerable<string> others = kind.Places.Skip(1).Select(p => p.File == first ? FormattableString.Invariant($"line {p.Line}") : FormattableString.Invariant($"{Path.GetFileName(p.File)}({p.Line})"));
        // The halves of a pair, and copies of a line, have one place.
        if (kind.Places.Count == 1)
            return FormattableString.Invariant($" {kind.Count} documents in all.");
        int more = kind.Places.Count < MostPlaces ? 0 : kind.Count - kind.Places.Count;
        return FormattableString.Invariant($" {kind.Count} documents in all, also {string.Join(", ", others)}{(more > 0 ? FormattableString.Invariant($" and {more} more") : "")}.");
    }
}
