// How PEFT finds a module in rank_pattern and alpha_pattern.
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

public static class PeftPatterns
{
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(500);

    /// <summary>The value of the first key that matches the whole path, or its end after a dot; else <paramref name="fallback"/>.</summary>
    /// <exception cref="DiagnosticException">LB0421: a key is not a regular expression.</exception>
    public static T Find<T>(IReadOnlyDictionary<string, T> patterns, string modulePath, T fallback)
    {
        foreach ((string pattern, T value) in patterns)
        {
            try
            {
                if (Regex.IsMatch(modulePath, $@"^(.*\.)?({pattern})$", RegexOptions.CultureInvariant, Limit))
                    return value;
            }
            catch (Exception e) when (e is RegexParseException or RegexMatchTimeoutException)
            {
                throw new DiagnosticException("LB0421", $"the pattern '{pattern}' cannot be matched: {e.Message}");
            }
        }

        return fallback;
    }
}
