// The verb's boundary: chooses the reporter, and turns every way of ending into an exit code.
using System.CommandLine;
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Memory;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker;

public sealed class VerbRunner(WorkerHost host, CancellationTokenSource cancellation)
{
    // errno ENOSPC and EDQUOT; ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL as HRESULTs.
    private static readonly int[] DiskFull = [28, 122, unchecked((int)0x80070070), unchecked((int)0x80070027)];

    public int Run(ParseResult options, Action<VerbContext> work) =>
        Run(options.GetValue(SharedOptions.Events), options, work);

    /// <summary>For what happens before a command line could be understood.</summary>
    public int RunWithEvents(bool hasEvents, Action<VerbContext> work) => Run(hasEvents, null, work);

    private int Run(bool hasEvents, ParseResult? options, Action<VerbContext> work)
    {
        StreamWriter? output = hasEvents ? host.OpenOutput() : null;
        WarningPolicy warnings = options is null ? WarningPolicy.Default : SharedOptions.WarningsOf(options);
        IReporter reporter = output is null ? (IReporter?)OnTerminal(warnings) ?? new TextReporter(host.Error, warnings) : new EventReporter(output, warnings);
        if (hasEvents && options is not null)
            ProcessSignals.CancelAtEndOf(host.Input, cancellation);
        try
        {
            work(new VerbContext(host, reporter, options, cancellation.Token));
            return reporter.HasErrors ? CommandLine.Failed : CommandLine.Done;
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return CommandLine.Cancelled;
        }
        catch (DiagnosticException e)
        {
            foreach (Diagnostic diagnostic in e.Diagnostics)
                reporter.Report(diagnostic);
            return e.Diagnostics.Any(d => d.Code == "LB0820") ? CommandLine.WrongUsage : CommandLine.Failed;
        }
        catch (IOException e) when (DiskFull.Contains(e.HResult))
        {
            reporter.Report(Diagnostic.Error("LB0810", $"the disk is full: {e.Message} Nothing unfinished has its final name; make room and run again."));
            return CommandLine.Failed;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reporter.Report(Diagnostic.Error("LB0811", $"a file cannot be read or written: {e.Message}"));
            return CommandLine.Failed;
        }
        catch (Exception e) when (Inner<DllNotFoundException>(e) is { } missing)
        {
            // The loader's message begins with its code and lists what was tried and what mends it.
            string[] parts = missing.Message.Split(": ", 2);
            bool hasCode = parts.Length == 2 && parts[0].StartsWith("LB", StringComparison.Ordinal);
            reporter.Report(hasCode ? Diagnostic.Error(parts[0], parts[1]) : Diagnostic.Error("LB0812", missing.Message));
            return CommandLine.Failed;
        }
        catch (Exception e) when (OutOfMemory.Is(e))
        {
            string asked = OutOfMemory.BytesAskedFor(e) is long bytes ? string.Create(CultureInfo.InvariantCulture, $" when {bytes / 1e6:N0} MB more were asked for") : "";
            reporter.Report(Diagnostic.Error("LB0656", string.Create(CultureInfo.InvariantCulture, $"memory ran out{asked}; the process has had up to {ProcessMemory.PeakBytes() / 1e6:N0} MB. Free memory, hold the weights in a narrower type (base.dtype, base.quantization), or make batches smaller (evaluate.batch_tokens).")));
            return CommandLine.Failed;
        }
        catch (Exception e)
        {
            host.Error.WriteLine(e);
            reporter.Report(Diagnostic.Error("LB0899", $"this is a fault of lorabuild, not of the input: {e.GetType().Name}: {e.Message}"));
            return CommandLine.Failed;
        }
        finally
        {
            (reporter as IDisposable)?.Dispose();
            output?.Flush();
        }
    }

    /// <summary>https://no-color.org: any value that is not empty.</summary>
    private TerminalReporter? OnTerminal(WarningPolicy warnings) => host.IsLive
        ? new TerminalReporter(host.Error, width: null, hasColor: string.IsNullOrEmpty(host.Environment("NO_COLOR")), TimeProvider.System, warnings)
        : null;

    /// <summary>A native library that is missing may show first in a type's initialiser.</summary>
    private static T? Inner<T>(Exception e)
        where T : Exception
    {
        for (Exception? inner = e; inner is not null; inner = inner.InnerException)
        {
            if (inner is T found)
                return found;
        }

        return null;
    }
}
