// Ends a piece of work with the findings that made it impossible.
namespace LoraBuild.Core.Diagnostics;

/// <summary>Thrown for a user's mistake, never for a bug. Holds at least one error.</summary>
public sealed class DiagnosticException : Exception
{
    public DiagnosticException(IReadOnlyList<Diagnostic> diagnostics)
        : base(string.Join(Environment.NewLine, diagnostics))
    {
        ArgumentOutOfRangeException.ThrowIfZero(diagnostics.Count);
        Diagnostics = diagnostics;
    }

    public DiagnosticException(Diagnostic diagnostic)
        : this([diagnostic])
    {
    }

    public DiagnosticException(string code, string message, string? file = null, int line = 0, int column = 0)
        : this(Diagnostic.Error(code, message, file, line, column))
    {
    }

    public IReadOnlyList<Diagnostic> Diagnostics { get; }
}
