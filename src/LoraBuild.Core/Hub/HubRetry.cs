// Another attempt after 1, 2, 4, 8 … seconds, or after as long as the server asks for.
using System.Globalization;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Hub;

/// <summary>Counts failures in a row of one piece of work.</summary>
internal sealed class HubRetry(HubOptions options, IHubObserver observer)
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(5);

    private int failures;

    public void Progressed() => failures = 0;

    public async Task<T> RunAsync<T>(Func<Task<T>> attempt, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (HubTransientException e)
            {
                await WaitAfterAsync(e, cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <exception cref="DiagnosticException">LB0057: often enough.</exception>
    public async Task WaitAfterAsync(HubTransientException failure, CancellationToken cancellation)
    {
        failures++;
        TimeSpan delay = failure.RetryAfter ?? TimeSpan.FromSeconds(1 << Math.Min(failures - 1, 5));
        if (failure.IsFinal || failures >= options.Attempts || delay > LongestWait)
        {
            string asked = delay > LongestWait ? string.Create(CultureInfo.InvariantCulture, $" It asks to come back in {delay.TotalMinutes:N0} minutes.") : "";
            throw new DiagnosticException("LB0057", $"{failure.Message}.{asked} Given up after {failures} attempt(s); what has arrived is kept, so run it again later. Check the network and, where there is one, the proxy (HTTPS_PROXY, NO_PROXY) or the mirror (HF_ENDPOINT, now {options.Endpoint}).");
        }

        observer.Message(string.Create(CultureInfo.InvariantCulture, $"fetch: {failure.Message}; trying again in {delay.TotalSeconds:0.#} s"));
        await options.Wait(delay, cancellation).ConfigureAwait(false);
    }
}
