// SIGINT, SIGTERM, SIGHUP and the end of standard input all mean the same: checkpoint and leave.
using System.Runtime.InteropServices;

namespace LoraBuild.Worker.Hosting;

/// <summary>Turns the process's signals into a cancellation, for as long as it is not disposed.</summary>
public sealed class ProcessSignals : IDisposable
{
    private readonly List<PosixSignalRegistration> registrations = [];

    private ProcessSignals()
    {
    }

    public static ProcessSignals CancelOn(CancellationTokenSource cancellation)
    {
        ProcessSignals signals = new();
        foreach (PosixSignal signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP })
        {
            signals.registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                // Without this the runtime would end the process at once.
                context.Cancel = true;
                cancellation.Cancel();
            }));
        }

        return signals;
    }

    /// <summary>Cancels when <paramref name="input"/> ends: the task closed it, or the build that held it died.</summary>
    public static void CancelAtEndOf(Stream input, CancellationTokenSource cancellation)
    {
        Thread watcher = new(() =>
        {
            byte[] buffer = new byte[256];
            try
            {
                while (input.Read(buffer) > 0)
                {
                    // What is written there says nothing; only its end does.
                }
            }
            catch (IOException)
            {
                // A broken pipe is an end, too.
            }

            try
            {
                cancellation.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // The program was already leaving.
            }
        })
        {
            IsBackground = true,
            Name = "end of standard input",
        };
        watcher.Start();
    }

    public void Dispose() => registrations.ForEach(r => r.Dispose());
}
