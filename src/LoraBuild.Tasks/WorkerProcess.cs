// The worker as a child process: standard input held open, standard output read line by line, standard error kept.
using System.Diagnostics;
using System.Text;

namespace LoraBuild.Tasks;

/// <summary>One run of the worker. <see cref="RequestStop"/> may be called from any thread; the rest belongs to the thread that started it.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private const int ErrorLinesKept = 40;

    private readonly Process process;
    private readonly Queue<string> errorLines = new();
    private readonly CancellationTokenSource ended = new();

    private WorkerProcess(Process process) => this.process = process;

    /// <summary>The last lines of standard error. Complete after <see cref="WaitForExit"/>.</summary>
    public IReadOnlyList<string> ErrorLines
    {
        get
        {
            lock (errorLines)
                return [.. errorLines];
        }
    }

    public static WorkerProcess Start(string worker, string dotnetHost, string requestFile, string workingDirectory)
    {
        bool isAssembly = worker.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);
        ProcessStartInfo start = new(isAssembly ? dotnetHost : worker)
        {
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
            WorkingDirectory = workingDirectory,
        };
        if (isAssembly)
            start.ArgumentList.Add(worker);
        else if (Path.IsPathRooted(dotnetHost))
            start.Environment["DOTNET_ROOT"] = Path.GetDirectoryName(dotnetHost);
        start.ArgumentList.Add("--request");
        start.ArgumentList.Add(requestFile);
        start.ArgumentList.Add("--events");

        Process process = new() { StartInfo = start };
        WorkerProcess result = new(process);
        process.ErrorDataReceived += (_, e) => result.KeepErrorLine(e.Data);
        process.Start();
        process.BeginErrorReadLine();
        return result;
    }

    /// <summary>The next line of standard output; null when the worker has closed it.</summary>
    public string? ReadLine() => process.StandardOutput.ReadLine();

    public int WaitForExit()
    {
        process.WaitForExit();
        ended.Cancel();
        return process.ExitCode;
    }

    /// <summary>Ends the worker's standard input and, if the worker still runs after <paramref name="grace"/>, kills it and its children.</summary>
    public void RequestStop(TimeSpan grace)
    {
        try
        {
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The worker has already gone, and with it the other end of the pipe.
        }

        _ = Task.Delay(grace, ended.Token).ContinueWith(
            _ => process.Kill(entireProcessTree: true),
            ended.Token,
            TaskContinuationOptions.OnlyOnRanToCompletion,
            TaskScheduler.Default);
    }

    public void Dispose()
    {
        ended.Dispose();
        process.Dispose();
    }

    private void KeepErrorLine(string? line)
    {
        if (string.IsNullOrEmpty(line))
            return;
        lock (errorLines)
        {
            errorLines.Enqueue(line);
            if (errorLines.Count > ErrorLinesKept)
                errorLines.Dequeue();
        }
    }
}
