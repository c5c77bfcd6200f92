// The program as a process of its own whose standard streams are closed before it begins.
using System.Diagnostics;

namespace LoraBuild.Worker.Tests;

public sealed class ClosedStreamTests
{
    private const string Program = "lorabuild";

    [Theory]
    [InlineData("tokenize --tokenizer \"$1\" <&-", 1, "error LB0811: a file cannot be read or written: standard input is closed")]
    [InlineData("detokenize --tokenizer \"$1\" <&- >&-", 1, "error LB0811")]
    [InlineData("tokenize --tokenizer \"$1\" >&- </dev/null", 0, "")] // nothing was to be said
    [InlineData("version >&-", 1, "standard output is closed")]
    [InlineData("--help >&-", 1, "standard output is closed")]
    [InlineData("version 2>&- <&-", 0, "")]
    public async Task A_closed_stream_is_an_error_where_it_is_used_and_nothing_waits(string command, int exitCode, string error)
    {
        if (!OperatingSystem.IsLinux())
            return;
        ProcessStartInfo start = new("/bin/sh", ["-c", $"exec \"$0\" {command}", Path.Combine(AppContext.BaseDirectory, Program), WorkerFixture.Tokenizer])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(start)!; // its standard input stays open: only the redirection closes it
        using CancellationTokenSource limit = new(TimeSpan.FromMinutes(2));
        Task<string> told = process.StandardError.ReadToEndAsync(limit.Token);
        _ = await process.StandardOutput.ReadToEndAsync(limit.Token);
        Assert.Contains(error, await told, StringComparison.Ordinal);
        await process.WaitForExitAsync(limit.Token);
        Assert.Equal(exitCode, process.ExitCode);
    }
}
