// A finding about the user's input: what is wrong, where, and how to mend it.
using System.Globalization;

namespace LoraBuild.Core.Diagnostics;

public enum DiagnosticSeverity
{
    /// <summary>Unusual but right.</summary>
    Info,

    /// <summary>Possible, but probably not what was meant.</summary>
    Warning,

    /// <summary>The work cannot go on.</summary>
    Error,
}

/// <summary>One finding. Every code has an entry in docs/errors.md and is never used for anything else.</summary>
/// <param name="Code">LB and four digits.</param>
/// <param name="Message">What is wrong, the value got, what is allowed, how to mend it.</param>
/// <param name="File">Absolute path, or null where no file is concerned.</param>
/// <param name="Line">From 1; 0 when the finding is about the whole file.</param>
/// <param name="Column">From 1; 0 when the finding is about the whole line.</param>
public sealed record Diagnostic(string Code, DiagnosticSeverity Severity, string Message, string? File = null, int Line = 0, int Column = 0)
{
    public static Diagnostic Error(string code, string message, string? file = null, int line = 0, int column = 0) =>
        new(code, DiagnosticSeverity.Error, message, file, line, column);

    public static Diagnostic Warning(string code, string message, string? file = null, int line = 0, int column = 0) =>
        new(code, DiagnosticSeverity.Warning, message, file, line, column);

    public static Diagnostic Info(string code, string message, string? file = null, int line = 0, int column = 0) =>
        new(code, DiagnosticSeverity.Info, message, file, line, column);

    /// <summary>The form that editors and MSBuild make clickable: <c>file(line,col): error LB0012: text</c>.</summary>
    public override string ToString()
    {
        string place = (Line, Column) switch
        {
            (0, _) => "",
            (_, 0) => string.Create(CultureInfo.InvariantCulture, $"({Line})"),
            _ => string.Create(CultureInfo.InvariantCulture, $"({Line},{Column})"),
        };
        string severity = Severity switch
        {
            DiagnosticSeverity.Error => "error",
            DiagnosticSeverity.Warning => "warning",
            _ => "info",
        };
        return $"{File ?? "lorabuild"}{place}: {severity} {Code}: {Message}";
    }
}
