// What preparing a data set did: dataset/report.json.
namespace LoraBuild.Core.Data;

/// <param name="Path">As the report's reader finds it: relative to the recipe's folder where it can be.</param>
/// <param name="Rows">Rows that could be read and used, before duplicates are removed.</param>
public sealed record SourceReport(string Path, string Format, int Rows, int Rejected, int Duplicates);

/// <param name="Documents">Documents in the file, with repetitions from weights.</param>
/// <param name="ContentHash">SHA-256 over the file's bytes.</param>
public sealed record SplitReport(int Documents, string ContentHash);

/// <param name="Leaked">Training documents that are also in an evaluation source; they were left out of training.</param>
/// <param name="TokenDocuments">Documents of sources that are tokens already; they go to the next stage as they are.</param>
public sealed record PrepareReport(
    IReadOnlyList<SourceReport> Sources,
    int Duplicates,
    int Leaked,
    int TokenDocuments,
    SplitReport Train,
    SplitReport Eval,
    SplitReport Test,
    IReadOnlyList<RejectedLine> Rejected);
