// What becomes of warnings: some are errors, some are not told. The words are MSBuild's (TreatWarningsAsErrors, WarningsAsErrors, WarningsNotAsErrors, NoWarn).
namespace LoraBuild.Core.Diagnostics;

/// <param name="AllAsErrors">Every warning is an error, unless another set holds its code.</param>
public sealed record WarningPolicy(bool AllAsErrors, IReadOnlySet<string> AsErrors, IReadOnlySet<string> NotAsErrors, IReadOnlySet<string> Silenced)
{
    private static readonly HashSet<string> None = [];

    /// <summary>Warnings stay what they are.</summary>
    public static WarningPolicy Default { get; } = new(false, None, None, None);

    /// <summary>Codes as projects write them: separated by semicolons, commas or blanks, upper or lower case.</summary>
    public static IReadOnlySet<string> Codes(IEnumerable<string> lists) =>
        lists.SelectMany(list => list.Split([';', ',', ' ', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries)).ToHashSet(StringComparer.OrdinalIgnoreCase);

    /// <returns>The finding as it is to be told; null when it is not. Silencing wins over promoting, as in MSBuild.</returns>
    public Diagnostic? Apply(Diagnostic diagnostic)
    {
        if (diagnostic.Severity != DiagnosticSeverity.Warning)
            return diagnostic;
        if (Silenced.Contains(diagnostic.Code))
            return null;
        bool isError = AsErrors.Contains(diagnostic.Code) || (AllAsErrors && !NotAsErrors.Contains(diagnostic.Code));
        return isError ? diagnostic with { Severity = DiagnosticSeverity.Error } : diagnostic;
    }
}
