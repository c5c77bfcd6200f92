// --now: the clock behind a template's strftime_now. Without it the machine's clock is used, only here.
using System.CommandLine;
using System.Globalization;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Worker.Verbs;

internal static class ClockOption
{
    public static Option<string> Now { get; } = new("--now") { Description = "The time that strftime_now gives, such as 2025-01-05T15:04:09. Default: now.", HelpName = "TIME" };

    /// <exception cref="DiagnosticException">LB0820: not a time.</exception>
    public static DateTime Read(VerbContext context)
    {
        if (context.Value(Now) is not { } text)
            return DateTime.Now;
        return DateTime.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out DateTime time)
            ? time
            : throw new DiagnosticException("LB0820", $"--now must be a time such as 2025-01-05T15:04:09, got '{text}'.");
    }
}
