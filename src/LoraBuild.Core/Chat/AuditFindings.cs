// The findings of a run as audit.json lists them: one a kind, sorted, with paths that do not depend on the machine.
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Chat;

internal static class AuditFindings
{
    /// <param name="bag">Findings about the whole set (those about documents are in <paramref name="findings"/> already).</param>
    /// <param name="folder">The recipe's.</param>
    public static IEnumerable<AuditFinding> Of(DataFindings findings, DiagnosticBag bag, string folder)
    {
        HashSet<string> known = [.. findings.Kinds.Select(k => k.Code), "LB0110"];
        IEnumerable<AuditFinding> documents = findings.Kinds.Select(k => new AuditFinding(k.Code, Name(k.Severity), k.Count, k.Message, [.. k.Places.Select(p => Place(p.File, p.Line, folder))]));
        IEnumerable<AuditFinding> others = bag.All.Where(d => !known.Contains(d.Code)).Select(d => new AuditFinding(d.Code, Name(d.Severity), 0, d.Message, d.File is null ? [] : [Place(d.File, d.Line, folder)]));
        return documents.Concat(others).OrderBy(f => f.Code, StringComparer.Ordinal);
    }

    private static string Name(DiagnosticSeverity severity) => severity.ToString().ToLowerInvariant();

    private static string Place(string file, int line, string folder)
    {
        string relative = Path.GetRelativePath(folder, file).Replace('\\', '/');
        string name = relative.StartsWith("../../..", StringComparison.Ordinal) ? Path.GetFileName(file) : relative;
        return line > 0 ? FormattableString.Invariant($"{name}({line})") : name;
    }
}
