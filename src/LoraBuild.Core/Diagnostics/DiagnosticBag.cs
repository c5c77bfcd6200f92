// Collects the findings of one piece of work, so that all errors of a file are reported together.
namespace LoraBuild.Core.Diagnostics;

/// <summary>Where findings go: the worker prints them as they come, tests keep them.</summary>
public interface IDiagnosticSink
{
    void Report(Diagnostic diagnostic);
}

/// <summary>Keeps findings in the order in which they came; passes each on to <paramref name="forward"/>.</summary>
public sealed class DiagnosticBag(IDiagnosticSink? forward = null) : IDiagnosticSink
{
    private readonly List<Diagnostic> all = [];

    public IReadOnlyList<Diagnostic> All => all;

    public bool HasErrors { get; private set; }

    public void Report(Diagnostic diagnostic)
    {
        all.Add(diagnostic);
        HasErrors |= diagnostic.Severity == DiagnosticSeverity.Error;
        forward?.Report(diagnostic);
    }

    /// <exception cref="DiagnosticException">There is an error among the findings; it carries all errors.</exception>
    public void ThrowIfErrors()
    {
        if (HasErrors)
            throw new DiagnosticException(all.FindAll(d => d.Severity == DiagnosticSeverity.Error));
    }
}
