// Promotion and silencing of warnings, with MSBuild's precedence.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tests.Diagnostics;

public sealed class WarningPolicyTests
{
    [Theory]
    [InlineData(false, "", "", "", DiagnosticSeverity.Warning)]
    [InlineData(true, "", "", "", DiagnosticSeverity.Error)]
    [InlineData(true, "", "LB0317", "", DiagnosticSeverity.Warning)]
    [InlineData(false, "LB0001;lb0317", "", "", DiagnosticSeverity.Error)]
    [InlineData(false, "LB0317", "LB0317", "", DiagnosticSeverity.Error)]
    [InlineData(false, "LB0318", "", "", DiagnosticSeverity.Warning)]
    [InlineData(true, "LB0317", "", "LB0001, LB0317", null)]
    public void A_warning_becomes_what_the_sets_say(bool all, string asErrors, string notAsErrors, string silenced, DiagnosticSeverity? expected)
    {
        WarningPolicy policy = new(all, WarningPolicy.Codes([asErrors]), WarningPolicy.Codes([notAsErrors]), WarningPolicy.Codes([silenced]));
        Assert.Equal(expected, policy.Apply(Diagnostic.Warning("LB0317", "x"))?.Severity);
    }

    [Fact]
    public void Errors_and_messages_stay_what_they_are()
    {
        WarningPolicy policy = new(true, WarningPolicy.Codes([]), WarningPolicy.Codes([]), WarningPolicy.Codes(["LB0001"]));
        Assert.Equal(DiagnosticSeverity.Error, policy.Apply(Diagnostic.Error("LB0001", "x"))!.Severity);
        Assert.Equal(DiagnosticSeverity.Info, policy.Apply(Diagnostic.Info("LB0001", "x"))!.Severity);
    }
}
